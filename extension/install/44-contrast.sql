-- What the text of an exam says about contrast.

CREATE FUNCTION radscheduler.contrast_meant(text) RETURNS text
    AS 'MODULE_PATHNAME', 'rad_contrast_meant' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.contrast_meant(text) IS
    'What words say about an intravascular contrast agent: with, without, both (without and with), none (no word about it), unknown (words about it that are not understood or leave it open: somebody must look).';
