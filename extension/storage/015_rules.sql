-- Conflicts that no exclusion constraint can hold: hours, blocks, capabilities, pools, ways between rooms; and blocks that a sender tells of.

ALTER TABLE radscheduler.conflict ALTER COLUMN other_appointment_id DROP NOT NULL;
COMMENT ON TABLE  radscheduler.conflict IS 'Two appointments that want one subject at one time, or one appointment that breaks a rule (rule_kind). Open until the cause has gone (then resolved by itself) or someone accepts it.';
COMMENT ON COLUMN radscheduler.conflict.subject_id IS 'The resource or patient concerned; 0 on the axis resource for a rule about the site or the appointment as a whole.';
COMMENT ON COLUMN radscheduler.conflict.appointment_id IS 'The appointment that came second, or that breaks the rule.';
COMMENT ON COLUMN radscheduler.conflict.other_appointment_id IS 'The appointment that was there; NULL for a rule that needs no second one.';
COMMENT ON COLUMN radscheduler.conflict.overlap IS 'The time both want, or the time for which the rule is broken.';
ALTER TABLE radscheduler.conflict ADD COLUMN accepted_by text CONSTRAINT conflict_accepted_by CHECK (accepted_by IS NULL OR state <> 'open');
COMMENT ON COLUMN radscheduler.conflict.accepted_by IS 'Who accepted it. An acceptance covers the time and the severity it was given for; worse, or at another time, the conflict is open again.';

-- One unresolved row for each code: a pair can share a subject in one way and break a rule on it in another. LEAST and GREATEST pass over NULL,
-- so a rule about one appointment alone is the pair of that appointment with itself.
DROP INDEX radscheduler.conflict_pair;
CREATE UNIQUE INDEX conflict_pair ON radscheduler.conflict
    (site_id, axis, subject_id, code, (LEAST(appointment_id, other_appointment_id)), (GREATEST(appointment_id, other_appointment_id)))
    WHERE state <> 'resolved';
CREATE INDEX conflict_capacity ON radscheduler.conflict (site_id, appointment_id) WHERE state <> 'resolved' AND code = 'CAPACITY_EXCEEDED';

ALTER TABLE radscheduler.site
    ADD COLUMN travel_minutes smallint NOT NULL DEFAULT 0 CONSTRAINT site_travel_minutes CHECK (travel_minutes BETWEEN 0 AND 240),
    ADD COLUMN campus_minutes smallint NOT NULL DEFAULT 0 CONSTRAINT site_campus_minutes CHECK (campus_minutes BETWEEN 0 AND 480);
COMMENT ON COLUMN radscheduler.site.travel_minutes IS 'Minutes a patient needs from one place of the site to another (PATIENT_TRAVEL, a warning); 0 asks for none.';
COMMENT ON COLUMN radscheduler.site.campus_minutes IS 'Minutes a patient needs from one campus of the site to another (PATIENT_TRAVEL, critical); 0 asks for none.';

ALTER TABLE radscheduler.resource
    ADD COLUMN modalities text[] NOT NULL DEFAULT '{}' CONSTRAINT resource_modalities_plain CHECK (pg_catalog.array_position(modalities, NULL) IS NULL),
    ADD COLUMN location   text   CONSTRAINT resource_location_filled CHECK (location <> ''),
    ADD COLUMN campus     text   CONSTRAINT resource_campus_filled CHECK (campus <> '');
CREATE INDEX resource_pool ON radscheduler.resource (site_id, modality) WHERE is_active AND is_registered AND kind <> 'staff';
CREATE INDEX resource_pool_more ON radscheduler.resource (site_id) WHERE is_active AND is_registered AND kind <> 'staff' AND modalities <> '{}';
COMMENT ON COLUMN radscheduler.resource.modalities IS 'DICOM codes it can do besides modality, for example {CT} for a PET/CT scanner.';
COMMENT ON COLUMN radscheduler.resource.location IS 'Where it is, for example a building and floor: between resources of one location patients need no travel time. NULL: a place of its own.';
COMMENT ON COLUMN radscheduler.resource.campus IS 'The part of the site it belongs to, where the site has several that a patient must travel between; NULL where it has one.';

ALTER TABLE radscheduler.appointment
    ADD COLUMN patient_class text,
    ADD COLUMN is_overbook   boolean NOT NULL DEFAULT false,
    ADD COLUMN is_pooled     boolean NOT NULL DEFAULT false,
    ADD COLUMN time_fault    text CONSTRAINT appointment_time_fault CHECK (time_fault IN ('gap', 'end', 'length'));
COMMENT ON COLUMN radscheduler.appointment.patient_class IS 'PV1-2 (HL7 table 0004), for example O outpatient, I inpatient, E emergency.';
COMMENT ON COLUMN radscheduler.appointment.is_overbook IS 'The sender said Overbook in SCH-25: it knows that the time is taken, and rules that this excuses only warn.';
COMMENT ON COLUMN radscheduler.appointment.is_pooled IS 'It takes time and names neither a scanner nor a room, so it counts against all scanners of its modality; kept by mark_pooled().';
COMMENT ON COLUMN radscheduler.appointment.time_fault IS 'What was wrong with the time that was sent (INVALID_TIME): gap, clocks are put forward over the start and starts_at is the moment after; end, not after the start; length, more than 24 hours. For the last two the usual duration is assumed. NULL when nothing was.';
CREATE INDEX appointment_pooled ON radscheduler.appointment USING gist (site_id, modality, pg_catalog.tstzrange(starts_at, ends_at)) WHERE is_pooled;

CREATE TABLE radscheduler.sender_block (
    site_id          integer     NOT NULL,
    sender_block_id  bigint      GENERATED BY DEFAULT AS IDENTITY,
    sender_id        bigint      NOT NULL,
    filler_id        text,
    placer_id        text,
    message_time     timestamptz NOT NULL,
    message_sequence bigint,
    message_id       bigint,
    PRIMARY KEY (site_id, sender_block_id),
    FOREIGN KEY (site_id, sender_id) REFERENCES radscheduler.sender,
    CHECK (filler_id IS NOT NULL OR placer_id IS NOT NULL)
);
CREATE UNIQUE INDEX sender_block_filler ON radscheduler.sender_block (site_id, sender_id, filler_id) WHERE filler_id IS NOT NULL;
CREATE INDEX sender_block_placer ON radscheduler.sender_block (site_id, sender_id, placer_id) WHERE placer_id IS NOT NULL;
COMMENT ON TABLE  radscheduler.sender_block IS 'A block as its sender calls it (SIU S23, S24). It outlives its times in resource_block, so that an older message does not bring back what a newer one has lifted.';
COMMENT ON COLUMN radscheduler.sender_block.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.sender_block.sender_block_id IS 'Identity within the database.';
COMMENT ON COLUMN radscheduler.sender_block.sender_id IS 'Sender whose identifiers filler_id and placer_id are.';
COMMENT ON COLUMN radscheduler.sender_block.filler_id IS 'SCH-2.1 (and namespace after a caret).';
COMMENT ON COLUMN radscheduler.sender_block.placer_id IS 'SCH-1.1 (and namespace after a caret).';
COMMENT ON COLUMN radscheduler.sender_block.message_time IS 'MSH-7 of the last applied message (or its arrival): an older one is stale.';
COMMENT ON COLUMN radscheduler.sender_block.message_sequence IS 'MSH-13 of that message: tie-break of message_time.';
COMMENT ON COLUMN radscheduler.sender_block.message_id IS 'hl7_message that last changed it.';

ALTER TABLE radscheduler.resource_block
    ADD COLUMN kind            text NOT NULL DEFAULT 'block' CONSTRAINT resource_block_kind CHECK (kind IN ('block', 'maintenance', 'downtime')),
    ADD COLUMN sender_block_id bigint,
    ADD FOREIGN KEY (site_id, sender_block_id) REFERENCES radscheduler.sender_block ON DELETE CASCADE;
CREATE INDEX resource_block_sender ON radscheduler.resource_block (site_id, sender_block_id) WHERE sender_block_id IS NOT NULL;
COMMENT ON COLUMN radscheduler.resource_block.kind IS 'block (a meeting, a closed room), maintenance or downtime: the last two make the conflict MAINTENANCE, which no overbooking excuses.';
COMMENT ON COLUMN radscheduler.resource_block.sender_block_id IS 'sender_block whose message made it; NULL for blocks made here.';

CREATE TABLE radscheduler.rule_setting (
    site_id  integer NOT NULL REFERENCES radscheduler.site,
    code     text    NOT NULL CONSTRAINT rule_setting_known CHECK (radscheduler.is_rule(code)),
    severity text    NOT NULL CONSTRAINT rule_setting_severity CHECK (severity IN ('off', 'info', 'warning', 'critical')),
    PRIMARY KEY (site_id, code)
);
COMMENT ON TABLE  radscheduler.rule_setting IS 'What a site makes of a rule, where that differs from rule_kind. Takes effect as appointments change; recheck_conflicts() applies it to those that are there.';
COMMENT ON COLUMN radscheduler.rule_setting.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.rule_setting.code IS 'The rule, see rule_kind.';
COMMENT ON COLUMN radscheduler.rule_setting.severity IS 'info, warning, critical, or off: not looked at.';

ALTER TABLE radscheduler.sender_block ALTER COLUMN filler_id SET STATISTICS 0, ALTER COLUMN placer_id SET STATISTICS 0;
SELECT radscheduler.audit_table('sender_block', 'sender_block_id', 'names');
SELECT radscheduler.audit_table('rule_setting', 'code', 'values');
SELECT radscheduler.secure_table('radscheduler.sender_block'::regclass);
SELECT radscheduler.secure_table('radscheduler.rule_setting'::regclass);
