-- What a site knows about its exams besides modality and minutes, and the other codes that senders use for them.

ALTER TABLE radscheduler.procedure
    ADD COLUMN contrast text NOT NULL DEFAULT 'unknown' CONSTRAINT procedure_contrast CHECK (contrast IN ('none', 'with', 'with_and_without', 'unknown')),
    ADD COLUMN prep     text CONSTRAINT procedure_prep_filled CHECK (prep <> '');
COMMENT ON TABLE  radscheduler.procedure IS 'Exams by the code that AIS-3 carries; filled from procedure_catalogue when a site is created, then edited by the site.';
COMMENT ON COLUMN radscheduler.procedure.contrast IS 'Iodine or gadolinium contrast agent: none, with, with_and_without, or unknown: to be asked, never taken for none.';
COMMENT ON COLUMN radscheduler.procedure.prep IS 'What the patient prepares, in a sentence or two; NULL: nothing.';

CREATE TABLE radscheduler.procedure_alias (
    site_id integer NOT NULL,
    alias   text    NOT NULL CONSTRAINT procedure_alias_upper CHECK (alias <> '' AND alias = pg_catalog.upper(pg_catalog.btrim(alias))),
    code    text    NOT NULL,
    PRIMARY KEY (site_id, alias),
    FOREIGN KEY (site_id, code) REFERENCES radscheduler.procedure ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX procedure_alias_code ON radscheduler.procedure_alias (site_id, code);
COMMENT ON TABLE  radscheduler.procedure_alias IS 'Other codes that senders use for an exam of the site. A code of procedure goes before an alias.';
COMMENT ON COLUMN radscheduler.procedure_alias.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.procedure_alias.alias IS 'A whole code as sent in AIS-3.1 or AIS-3.4, upper case, without blanks around it.';
COMMENT ON COLUMN radscheduler.procedure_alias.code IS 'The exam it means.';

SELECT radscheduler.audit_table('procedure_alias', 'alias', 'values');
SELECT radscheduler.secure_table('radscheduler.procedure_alias'::regclass);

-- Sites that are there get what the catalogues have gained since version 0.2; what a site edited or took out stays as it is.
SELECT radscheduler.stock_site(s.site_id, '{MRI001,CT002,XR003,US004}',
    '{MR,MRI,MRA,MRV,MRCP,FMRI,CT,CTA,CAT,CTU,DX,CR,DR,XR,XRAY,RADIOGRAPH,RADIOGRAPHY,RADIOGRAPHS,US,ULTRASOUND,SONO,SONOGRAM,SONOGRAPHY,DOPPLER,DUPLEX,ECHO,'
    'MG,MAM,MAMMO,MAMMOGRAM,MAMMOGRAPHY,TOMOSYNTHESIS,NM,NUC,NUCLEAR,SPECT,SCINTIGRAPHY,PT,PET,PETCT,RF,FL,FLUORO,FLUOROSCOPY,BARIUM,ESOPHAGRAM,'
    'XA,IR,ANGIO,ANGIOGRAM,ANGIOGRAPHY,BIOPSY,BMD,DEXA,DXA,DENSITOMETRY,OT,OTHER}')
    FROM radscheduler.site s;
