-- Code tables that ship with a version and are replaced with it. A site's own lists are records, filled from these when the site is created.

CREATE TABLE radscheduler.modality_catalogue (
    code            text     PRIMARY KEY,
    label           text     NOT NULL,
    name            text     NOT NULL,
    default_minutes smallint NOT NULL,
    aliases         text[]   NOT NULL
);
COMMENT ON TABLE  radscheduler.modality_catalogue IS 'Modalities a new site starts with.';
COMMENT ON COLUMN radscheduler.modality_catalogue.code IS 'DICOM modality code (PS3.3 C.7.3.1.1.1).';
COMMENT ON COLUMN radscheduler.modality_catalogue.label IS 'Name in the appointments view and the API.';
COMMENT ON COLUMN radscheduler.modality_catalogue.name IS 'Name for people.';
COMMENT ON COLUMN radscheduler.modality_catalogue.default_minutes IS 'Minutes of an exam whose message gives no duration.';
COMMENT ON COLUMN radscheduler.modality_catalogue.aliases IS 'Words and code prefixes that mean it, upper case.';
INSERT INTO radscheduler.modality_catalogue VALUES
    ('MR', 'MRI',    'Magnetic resonance',   45, '{MR,MRI,MRA,MRV,MRCP,MRE,FMRI,CMR,NMR,MAGNETIC}'),
    ('CT', 'CT',     'Computed tomography',  30, '{CT,CTA,CTV,CAT,CTU,CTPA,CCTA,HRCT,LDCT,CBCT,TOMOGRAPHY}'),
    ('DX', 'XRAY',   'Radiography',          15, '{DX,CR,DR,XR,RG,IO,PX,XRAY,XRAYS,CXR,AXR,RADIOGRAPH,RADIOGRAPHY,RADIOGRAPHS,RADIOGRAM,PANOREX}'),
    ('US', 'US',     'Ultrasound',           30,
     '{US,USG,ULTRASOUND,ULTRASOUNDS,ULTRASONOGRAPHY,SONO,SONOGRAM,SONOGRAPHY,DOPPLER,DUPLEX,TVUS,ECHO,ECHOCARDIOGRAM,ECHOCARDIOGRAPHY}'),
    ('MG', 'MAMMO',  'Mammography',          20, '{MG,MAM,MAMMO,MAMMOGRAM,MAMMOGRAMS,MAMMOGRAPHY,TOMOSYNTHESIS,DBT}'),
    ('NM', 'NM',     'Nuclear medicine',     60, '{NM,NUC,NUCLEAR,SPECT,SCINTIGRAPHY,SCINTIGRAM,LYMPHOSCINTIGRAPHY,HIDA,MUGA,DATSCAN}'),
    ('PT', 'PET',    'Positron emission tomography', 120, '{PT,PET,PETCT,POSITRON,FDG}'),
    ('RF', 'FLUORO', 'Fluoroscopy',          30,
     '{RF,FL,FLUORO,FLUOROSCOPY,FLUOROSCOPIC,BARIUM,ESOPHAGRAM,ESOPHAGOGRAM,UGI,VCUG,HSG,MYELOGRAM,CYSTOGRAM}'),
    ('XA', 'ANGIO',  'Angiography and intervention', 60,
     '{XA,IR,ANGIO,ANGIOGRAM,ANGIOGRAPHY,ANGIOPLASTY,ARTERIOGRAM,VENOGRAM,FISTULAGRAM,EMBOLIZATION,NEPHROSTOMY,PICC,BIOPSY}'),
    ('BMD', 'DEXA',  'Bone densitometry',    20, '{BMD,BD,DEXA,DXA,DENSITOMETRY,DENSITY}'),
    ('OT', 'OTHER',  'Other',                30, '{OT,OTHER,ES,OP,OPT,SM,XC}');

CREATE TABLE radscheduler.status_alias (
    alias  text PRIMARY KEY,
    status radscheduler.appointment_status NOT NULL
);
COMMENT ON TABLE  radscheduler.status_alias IS 'What senders write in SCH-25 (HL7 table 0278 and the words used in the wild).';
COMMENT ON COLUMN radscheduler.status_alias.alias IS 'Upper case, letters and digits only.';
COMMENT ON COLUMN radscheduler.status_alias.status IS 'State it means.';
INSERT INTO radscheduler.status_alias VALUES
    ('PENDING', 'PENDING'), ('TENTATIVE', 'PENDING'), ('REQUESTED', 'PENDING'), ('HOLD', 'PENDING'), ('PENCILED', 'PENDING'),
    ('WAITLIST', 'WAITLISTED'), ('WAITLISTED', 'WAITLISTED'),
    ('BOOKED', 'SCHEDULED'), ('SCHEDULED', 'SCHEDULED'), ('SCH', 'SCHEDULED'), ('NEW', 'SCHEDULED'), ('RESCHEDULED', 'SCHEDULED'),
    ('MODIFIED', 'SCHEDULED'), ('OVERBOOK', 'SCHEDULED'), ('ACTIVE', 'SCHEDULED'), ('CONFIRMED', 'CONFIRMED'),
    ('PENDINGREVIEW', 'PENDING_REVIEW'),
    ('ARRIVED', 'ARRIVED'), ('CHECKEDIN', 'ARRIVED'), ('CHECKIN', 'ARRIVED'), ('REGISTERED', 'ARRIVED'),
    ('STARTED', 'IN_PROGRESS'), ('INPROGRESS', 'IN_PROGRESS'), ('BEGUN', 'IN_PROGRESS'), ('EXAMSTARTED', 'IN_PROGRESS'),
    ('COMPLETE', 'COMPLETED'), ('COMPLETED', 'COMPLETED'), ('FULFILLED', 'COMPLETED'), ('CHECKEDOUT', 'COMPLETED'), ('CLOSED', 'COMPLETED'),
    ('CANCELLED', 'CANCELLED'), ('CANCELED', 'CANCELLED'), ('CAN', 'CANCELLED'), ('CX', 'CANCELLED'),
    ('DC', 'DISCONTINUED'), ('DISCONTINUED', 'DISCONTINUED'), ('ABORTED', 'DISCONTINUED'), ('LWBS', 'DISCONTINUED'),
    ('NOSHOW', 'NO_SHOW'), ('NS', 'NO_SHOW'), ('MISSED', 'NO_SHOW'), ('DNA', 'NO_SHOW'),
    ('DELETED', 'DELETED'), ('ENTEREDINERROR', 'DELETED');

CREATE TABLE radscheduler.event_rule (
    trigger_event  text NOT NULL,
    state          text NOT NULL CHECK (state IN ('unknown', 'active', 'COMPLETED', 'CANCELLED', 'DISCONTINUED', 'NO_SHOW', 'DELETED')),
    action         text NOT NULL CHECK (action IN ('create', 'update', 'revive', 'renew', 'close', 'tombstone', 'amend', 'keep', 'refuse')),
    default_status radscheduler.appointment_status,
    warning        text,
    PRIMARY KEY (trigger_event, state)
);
COMMENT ON TABLE  radscheduler.event_rule IS 'What a trigger event (HL7 chapter 10.3) does to an appointment, by the state the appointment is in.';
COMMENT ON COLUMN radscheduler.event_rule.trigger_event IS 'MSH-9.2.';
COMMENT ON COLUMN radscheduler.event_rule.state IS 'unknown: no such appointment; active: not closed; else the closed state it is in.';
COMMENT ON COLUMN radscheduler.event_rule.action IS
    'create: new appointment; update: apply the snapshot; revive: open it again in the same row; renew: new generation under the same identifiers; close: end it and free its time; tombstone: record the closing of an appointment not yet seen; amend: change what is not schedule; keep: nothing to do (AA); refuse: unknown key (AE 204).';
COMMENT ON COLUMN radscheduler.event_rule.default_status IS 'Status when SCH-25 gives none; NULL keeps the present one.';
COMMENT ON COLUMN radscheduler.event_rule.warning IS 'Code of the warning the message is given, if any.';
INSERT INTO radscheduler.event_rule VALUES
    ('S12', 'unknown', 'create', 'SCHEDULED', NULL),
    ('S12', 'active', 'update', NULL, NULL),
    ('S12', 'COMPLETED', 'renew', 'SCHEDULED', 'ID_REUSED'),
    ('S12', 'CANCELLED', 'renew', 'SCHEDULED', NULL),
    ('S12', 'DISCONTINUED', 'renew', 'SCHEDULED', 'ID_REUSED'),
    ('S12', 'NO_SHOW', 'renew', 'SCHEDULED', NULL),
    ('S12', 'DELETED', 'renew', 'SCHEDULED', 'ID_REUSED'),
    ('S13', 'unknown', 'create', 'SCHEDULED', 'UPDATE_BEFORE_CREATE'),
    ('S13', 'active', 'update', 'SCHEDULED', NULL),
    ('S13', 'COMPLETED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S13', 'CANCELLED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S13', 'DISCONTINUED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S13', 'NO_SHOW', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S13', 'DELETED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S14', 'unknown', 'create', 'SCHEDULED', 'UPDATE_BEFORE_CREATE'),
    ('S14', 'active', 'update', NULL, NULL),
    ('S14', 'COMPLETED', 'amend', NULL, NULL),
    ('S14', 'CANCELLED', 'amend', NULL, NULL),
    ('S14', 'DISCONTINUED', 'amend', NULL, NULL),
    ('S14', 'NO_SHOW', 'amend', NULL, NULL),
    ('S14', 'DELETED', 'amend', NULL, NULL),
    ('S15', 'unknown', 'tombstone', 'CANCELLED', 'CANCEL_BEFORE_CREATE'),
    ('S15', 'active', 'close', 'CANCELLED', NULL),
    ('S15', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S15', 'CANCELLED', 'keep', NULL, NULL),
    ('S15', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S15', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S15', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S16', 'unknown', 'tombstone', 'DISCONTINUED', 'CANCEL_BEFORE_CREATE'),
    ('S16', 'active', 'close', 'DISCONTINUED', NULL),
    ('S16', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S16', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S16', 'DISCONTINUED', 'keep', NULL, NULL),
    ('S16', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S16', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S17', 'unknown', 'tombstone', 'DELETED', 'CANCEL_BEFORE_CREATE'),
    ('S17', 'active', 'close', 'DELETED', NULL),
    ('S17', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S17', 'CANCELLED', 'close', 'DELETED', NULL),
    ('S17', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S17', 'NO_SHOW', 'close', 'DELETED', NULL),
    ('S17', 'DELETED', 'keep', NULL, NULL),
    ('S18', 'unknown', 'create', 'SCHEDULED', 'UPDATE_BEFORE_CREATE'),
    ('S18', 'active', 'update', NULL, NULL),
    ('S18', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S18', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S18', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S18', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S18', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S19', 'unknown', 'create', 'SCHEDULED', 'UPDATE_BEFORE_CREATE'),
    ('S19', 'active', 'update', NULL, NULL),
    ('S19', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S19', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S19', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S19', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S19', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S20', 'unknown', 'refuse', NULL, NULL),
    ('S20', 'active', 'update', NULL, NULL),
    ('S20', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S20', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S20', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S20', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S20', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S21', 'unknown', 'refuse', NULL, NULL),
    ('S21', 'active', 'update', NULL, NULL),
    ('S21', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S21', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S21', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S21', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S21', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S22', 'unknown', 'refuse', NULL, NULL),
    ('S22', 'active', 'update', NULL, NULL),
    ('S22', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S22', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S22', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S22', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S22', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S27', 'unknown', 'create', 'SCHEDULED', NULL),
    ('S27', 'active', 'update', NULL, NULL),
    ('S27', 'COMPLETED', 'amend', NULL, NULL),
    ('S27', 'CANCELLED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S27', 'DISCONTINUED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S27', 'NO_SHOW', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S27', 'DELETED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S26', 'unknown', 'tombstone', 'NO_SHOW', 'CANCEL_BEFORE_CREATE'),
    ('S26', 'active', 'close', 'NO_SHOW', NULL),
    ('S26', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S26', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S26', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S26', 'NO_SHOW', 'keep', NULL, NULL),
    ('S26', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT');

CREATE FUNCTION radscheduler.status_rank(status radscheduler.appointment_status) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN status IN ('PENDING'::radscheduler.appointment_status, 'WAITLISTED') THEN 0
                WHEN status IN ('SCHEDULED'::radscheduler.appointment_status, 'CONFIRMED', 'PENDING_REVIEW') THEN 1
                WHEN status = 'ARRIVED'::radscheduler.appointment_status THEN 2
                WHEN status = 'IN_PROGRESS'::radscheduler.appointment_status THEN 3 ELSE 4 END;
COMMENT ON FUNCTION radscheduler.status_rank(radscheduler.appointment_status) IS
    'How far an appointment has come: 0 waiting, 1 booked, 2 arrived, 3 in progress, 4 closed. It goes back only by a newer message that says so in SCH-25.';

CREATE TABLE radscheduler.warning_kind (
    code text PRIMARY KEY,
    text text NOT NULL
);
COMMENT ON TABLE  radscheduler.warning_kind IS 'The warnings that the rules in SQL give; the reader of messages gives its own, each with its sentence.';
COMMENT ON COLUMN radscheduler.warning_kind.code IS 'Stable code.';
COMMENT ON COLUMN radscheduler.warning_kind.text IS 'Sentence for people.';
INSERT INTO radscheduler.warning_kind VALUES
    ('CONFLICT_OVERRIDDEN', 'The sender overrides conflicts (APR-5), and its profile allows that; the appointment stands, and its conflicts are accepted.'),
    ('OVERRIDE_NOT_ALLOWED', 'The sender asks to override conflicts (APR-5), which its profile does not allow (override_requests).'),
    ('CONTROL_ID_REUSED', 'This sender has used this control id for other bytes before; the message was processed as a new one.'),
    ('SENDER_UNKNOWN', 'This pair of sending application and facility was not known; it was recorded with the default profile.'),
    ('RESOURCE_UNKNOWN', 'This resource was not known; it was recorded with capacity 1 and no buffers.'),
    ('ZONE_ASSUMED', 'Neither the message nor the sender nor the site names a time zone; radscheduler.default_timezone was used.'),
    ('ZONE_OF_MESSAGE', 'Neither the sender nor the site names a time zone; the offset of MSH-7 was used, which is an hour off behind the next change of clocks.'),
    ('ID_REUSED', 'The appointment identifier was used before for another appointment; a new generation was opened.'),
    ('UPDATE_BEFORE_CREATE', 'The change arrived before the booking; the appointment was created from it.'),
    ('CANCEL_BEFORE_CREATE', 'The closing arrived before the booking; it is kept so that a late booking does not open the appointment.'),
    ('CLOSED_APPOINTMENT', 'The appointment is already closed in another way; nothing was changed.'),
    ('REVIVED', 'A closed appointment was opened again by a newer message.'),
    ('STALE', 'A newer message about the same thing has already been applied; this one was kept but not applied.'),
    ('CLOCK_SKEW', 'The message time is more than five minutes ahead of this system; arrival time was used for ordering.'),
    ('STATUS_UNKNOWN', 'The status sent is not in the table of status words; it was not used.'),
    ('STATUS_DISAGREES', 'The status sent says the appointment is still open, the event closes it; the event was followed.'),
    ('MODALITY_UNKNOWN', 'No procedure, resource, code or word of the message names a modality; OT was recorded.'),
    ('DURATION_ASSUMED', 'No usable duration was sent; the usual one of the procedure or modality was used.'),
    ('DATE_ONLY', 'Only a date was sent as start; the appointment was put on the waiting list without occupying time.'),
    ('TIME_DISTRUSTED', 'A resource time lies more than a day away from the appointment; the appointment''s own time was used.'),
    ('PHONE_UNUSABLE', 'The phone number cannot be completed to an international number; it was kept as sent.'),
    ('S14_EMPTY_POSSIBLE_LEGACY_CANCEL', 'A modification without time, status or resources may be a cancellation in an older naming; nothing was changed.'),
    ('STATUS_BACKWARD', 'The status sent lies behind the present one and the message is not newer; it was not used.'),
    ('NO_SHOW_AFTER_ARRIVAL', 'The patient has arrived here; the no-show was not recorded (profile key no_show_after_arrival allows it).'),
    ('CANCEL_DISPUTED', 'By this sender''s naming the event cancels, but the status sent says the appointment is open: it waits for a person.'),
    ('NO_SERVICE_LEFT', 'The last exam of the appointment was taken out; the appointment itself waits for a person.'),
    ('UNKNOWN_APPOINTMENT', 'The message is about parts of an appointment that is not known here; nothing was changed.'),
    ('TEST_MESSAGE', 'MSH-11 is not P (production) and this sender''s profile leaves such messages alone; nothing was changed.'),
    ('REPLAY_KEPT', 'Read again, a message about this appointment is refused or tells of another one; the appointment was left as it is.'),
    ('REPLAY_LOCAL', 'Something on the appointment was changed here by hand since, or by a message about something else; that was kept.'),
    ('TIME_IN_DST_GAP', 'The start does not exist on that day (clocks are put forward); the moment after the gap was used.'),
    ('TIME_AMBIGUOUS', 'The start exists twice on that day (clocks are put back); the first of the two was used.');

CREATE TABLE radscheduler.phone_region (
    region       text PRIMARY KEY,
    calling_code text NOT NULL,
    trunk_prefix text NOT NULL,
    min_digits   smallint NOT NULL,
    max_digits   smallint NOT NULL
);
COMMENT ON TABLE  radscheduler.phone_region IS 'How a national phone number becomes an international one (ITU-T E.164).';
COMMENT ON COLUMN radscheduler.phone_region.region IS 'ISO 3166 country code.';
COMMENT ON COLUMN radscheduler.phone_region.calling_code IS 'Country calling code without plus.';
COMMENT ON COLUMN radscheduler.phone_region.trunk_prefix IS 'Digit dialled before a national number, dropped internationally; empty when there is none.';
COMMENT ON COLUMN radscheduler.phone_region.min_digits IS 'Fewest digits of a national number without trunk prefix.';
COMMENT ON COLUMN radscheduler.phone_region.max_digits IS 'Most digits of a national number without trunk prefix.';
INSERT INTO radscheduler.phone_region VALUES
    ('US', '1', '1', 10, 10), ('CA', '1', '1', 10, 10), ('GB', '44', '0', 9, 10), ('IE', '353', '0', 7, 9), ('FR', '33', '0', 9, 9),
    ('DE', '49', '0', 6, 11), ('AT', '43', '0', 4, 12), ('CH', '41', '0', 9, 9), ('NL', '31', '0', 9, 9), ('BE', '32', '0', 8, 9),
    ('ES', '34', '', 9, 9), ('PT', '351', '', 9, 9), ('IT', '39', '', 6, 11), ('DK', '45', '', 8, 8), ('NO', '47', '', 8, 8),
    ('SE', '46', '0', 7, 10), ('FI', '358', '0', 5, 12), ('PL', '48', '', 9, 9), ('IN', '91', '0', 10, 10), ('AU', '61', '0', 9, 9),
    ('NZ', '64', '0', 8, 10), ('ZA', '27', '0', 9, 9), ('BR', '55', '0', 10, 11), ('MX', '52', '', 10, 10), ('JP', '81', '0', 9, 10);
