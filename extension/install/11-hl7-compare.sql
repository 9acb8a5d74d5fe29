-- Comparing messages by their bytes. The order means nothing in medicine; it is there so that DISTINCT, GROUP BY, UNIQUE
-- and merges work.

CREATE FUNCTION radscheduler.hl7_eq(radscheduler.hl7, radscheduler.hl7) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_hl7_eq' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_eq(radscheduler.hl7, radscheduler.hl7) IS 'Behind the operator = of hl7: equal by bytes.';

CREATE FUNCTION radscheduler.hl7_ne(radscheduler.hl7, radscheduler.hl7) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_hl7_ne' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_ne(radscheduler.hl7, radscheduler.hl7) IS 'Behind the operator <> of hl7: different by bytes.';

CREATE FUNCTION radscheduler.hl7_lt(radscheduler.hl7, radscheduler.hl7) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_hl7_lt' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_lt(radscheduler.hl7, radscheduler.hl7) IS 'Behind the operator < of hl7: before by bytes.';

CREATE FUNCTION radscheduler.hl7_le(radscheduler.hl7, radscheduler.hl7) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_hl7_le' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_le(radscheduler.hl7, radscheduler.hl7) IS 'Behind the operator <= of hl7: before or equal by bytes.';

CREATE FUNCTION radscheduler.hl7_gt(radscheduler.hl7, radscheduler.hl7) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_hl7_gt' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_gt(radscheduler.hl7, radscheduler.hl7) IS 'Behind the operator > of hl7: after by bytes.';

CREATE FUNCTION radscheduler.hl7_ge(radscheduler.hl7, radscheduler.hl7) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_hl7_ge' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_ge(radscheduler.hl7, radscheduler.hl7) IS 'Behind the operator >= of hl7: after or equal by bytes.';

CREATE OPERATOR radscheduler.= (FUNCTION = radscheduler.hl7_eq, LEFTARG = radscheduler.hl7, RIGHTARG = radscheduler.hl7,
    COMMUTATOR = OPERATOR(radscheduler.=), NEGATOR = OPERATOR(radscheduler.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
COMMENT ON OPERATOR radscheduler.= (radscheduler.hl7, radscheduler.hl7) IS 'Equal by bytes.';

CREATE OPERATOR radscheduler.<> (FUNCTION = radscheduler.hl7_ne, LEFTARG = radscheduler.hl7, RIGHTARG = radscheduler.hl7,
    COMMUTATOR = OPERATOR(radscheduler.<>), NEGATOR = OPERATOR(radscheduler.=), RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR radscheduler.<> (radscheduler.hl7, radscheduler.hl7) IS 'Different by bytes.';

CREATE OPERATOR radscheduler.< (FUNCTION = radscheduler.hl7_lt, LEFTARG = radscheduler.hl7, RIGHTARG = radscheduler.hl7,
    COMMUTATOR = OPERATOR(radscheduler.>), NEGATOR = OPERATOR(radscheduler.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
COMMENT ON OPERATOR radscheduler.< (radscheduler.hl7, radscheduler.hl7) IS 'Before by bytes.';

CREATE OPERATOR radscheduler.<= (FUNCTION = radscheduler.hl7_le, LEFTARG = radscheduler.hl7, RIGHTARG = radscheduler.hl7,
    COMMUTATOR = OPERATOR(radscheduler.>=), NEGATOR = OPERATOR(radscheduler.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
COMMENT ON OPERATOR radscheduler.<= (radscheduler.hl7, radscheduler.hl7) IS 'Before or equal by bytes.';

CREATE OPERATOR radscheduler.> (FUNCTION = radscheduler.hl7_gt, LEFTARG = radscheduler.hl7, RIGHTARG = radscheduler.hl7,
    COMMUTATOR = OPERATOR(radscheduler.<), NEGATOR = OPERATOR(radscheduler.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
COMMENT ON OPERATOR radscheduler.> (radscheduler.hl7, radscheduler.hl7) IS 'After by bytes.';

CREATE OPERATOR radscheduler.>= (FUNCTION = radscheduler.hl7_ge, LEFTARG = radscheduler.hl7, RIGHTARG = radscheduler.hl7,
    COMMUTATOR = OPERATOR(radscheduler.<=), NEGATOR = OPERATOR(radscheduler.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR radscheduler.>= (radscheduler.hl7, radscheduler.hl7) IS 'After or equal by bytes.';

CREATE FUNCTION radscheduler.hl7_cmp(radscheduler.hl7, radscheduler.hl7) RETURNS integer
    AS 'MODULE_PATHNAME', 'rad_hl7_cmp' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_cmp(radscheduler.hl7, radscheduler.hl7) IS '-1, 0 or 1: order by bytes, for btree indexes.';

CREATE FUNCTION radscheduler.hl7_hash(radscheduler.hl7) RETURNS integer
    AS 'MODULE_PATHNAME', 'rad_hl7_hash' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_hash(radscheduler.hl7) IS 'Hash of the bytes, 32 bits.';

CREATE FUNCTION radscheduler.hl7_hash_extended(radscheduler.hl7, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'rad_hl7_hash_extended' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_hash_extended(radscheduler.hl7, bigint) IS 'Hash of the bytes with a seed, 64 bits.';

CREATE OPERATOR CLASS radscheduler.hl7_ops DEFAULT FOR TYPE radscheduler.hl7 USING btree AS
    OPERATOR 1 radscheduler.<, OPERATOR 2 radscheduler.<=, OPERATOR 3 radscheduler.=, OPERATOR 4 radscheduler.>=, OPERATOR 5 radscheduler.>,
    FUNCTION 1 radscheduler.hl7_cmp(radscheduler.hl7, radscheduler.hl7);
COMMENT ON OPERATOR CLASS radscheduler.hl7_ops USING btree IS 'Messages ordered by their bytes.';
COMMENT ON OPERATOR FAMILY radscheduler.hl7_ops USING btree IS 'Messages ordered by their bytes.';

CREATE OPERATOR CLASS radscheduler.hl7_ops DEFAULT FOR TYPE radscheduler.hl7 USING hash AS
    OPERATOR 1 radscheduler.=,
    FUNCTION 1 radscheduler.hl7_hash(radscheduler.hl7),
    FUNCTION 2 radscheduler.hl7_hash_extended(radscheduler.hl7, bigint);
COMMENT ON OPERATOR CLASS radscheduler.hl7_ops USING hash IS 'Messages hashed by their bytes.';
COMMENT ON OPERATOR FAMILY radscheduler.hl7_ops USING hash IS 'Messages hashed by their bytes.';
