-- Patients that turned out to be one person. The row given up goes; what remains of it is its id here, and its identifiers with the patient kept.

ALTER TABLE radscheduler.patient_identifier ADD COLUMN merged_at timestamptz;
COMMENT ON COLUMN radscheduler.patient_identifier.merged_at IS
    'MSH-7 of the merge that gave this identifier up (MRG-1); NULL for one in use. Messages that still name it mean the patient, who is not shown under it; an older merge does not move it.';

CREATE TABLE radscheduler.patient_merge (
    site_id    integer     NOT NULL,
    merged_id  bigint      NOT NULL,
    patient_id bigint      NOT NULL,
    merged_at  timestamptz NOT NULL,
    message_id bigint,
    PRIMARY KEY (site_id, merged_id),
    FOREIGN KEY (site_id, patient_id) REFERENCES radscheduler.patient ON DELETE CASCADE
);
CREATE INDEX patient_merge_patient ON radscheduler.patient_merge (site_id, patient_id);
COMMENT ON TABLE  radscheduler.patient_merge IS 'Who a patient id of earlier versions and events is now. Ids only; what a merge of merged patients leads to stands in one row each.';
COMMENT ON COLUMN radscheduler.patient_merge.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.patient_merge.merged_id IS 'patient.patient_id of the row that was given up.';
COMMENT ON COLUMN radscheduler.patient_merge.patient_id IS 'The patient kept.';
COMMENT ON COLUMN radscheduler.patient_merge.merged_at IS 'MSH-7 of the merge.';
COMMENT ON COLUMN radscheduler.patient_merge.message_id IS 'hl7_message that merged them.';

SELECT radscheduler.audit_table('patient_merge', 'merged_id,patient_id', 'names');
SELECT radscheduler.secure_table('radscheduler.patient_merge'::regclass);
