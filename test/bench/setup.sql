-- Schema of the benchmark: the floor's table, and a function that makes the n-th message.
-- The floor is what PostgreSQL itself takes for one row under the same exclusion constraint, committed.

CREATE SCHEMA radbench;

CREATE TABLE radbench.floor (
    site_id    integer   NOT NULL,
    id         bigint    GENERATED ALWAYS AS IDENTITY,
    axis       radscheduler.axis NOT NULL,
    subject_id bigint    NOT NULL,
    lane       smallint  NOT NULL,
    buffered   tstzrange NOT NULL,
    PRIMARY KEY (site_id, id),
    EXCLUDE USING gist (site_id WITH =, axis WITH =, subject_id WITH =, lane WITH =, buffered WITH &&)
);

CREATE SEQUENCE radbench.message_number;
CREATE SEQUENCE radbench.floor_number;

-- The n-th slot: 200 scanners, then the next half hour, so that no two ever overlap and the index is spread like a real one.
CREATE FUNCTION radbench.slot(n bigint) RETURNS tstzrange
    LANGUAGE sql IMMUTABLE
    RETURN tstzrange('2027-01-04 00:00Z'::timestamptz + n / 200 * interval '30 minutes',
                     '2027-01-04 00:00Z'::timestamptz + (n / 200 + 1) * interval '30 minutes');

CREATE FUNCTION radbench.message(n bigint) RETURNS bytea
    LANGUAGE sql STABLE
    AS $$
    SELECT convert_to(format(
        E'MSH|^~\\&|BENCH|MEMORIAL|RADSCHED|RAD|20270101000000||SIU^S12|B%s|P|2.5\r'
        'SCH||%s|||||||30|MIN|^^30^%s^^R||||||||||||||SCHEDULED\r'
        'PID|1||P%s^^^MEMORIAL^MR||BENCH^PERSON||19800101|M|||123 MAIN ST^^BOSTON^MA^02101||617-555-0123\r'
        'RGS|1|A\r'
        'AIS|1|A|MRI001^MRI BRAIN W/O CONTRAST|%s\r'
        'AIG|1|A|BENCHMR%s|EQUIPMENT||||%s\r'
        'AIP|1|A|BENCHT%s^BENCH^TECH|TECHNOLOGIST||%s\r',
        n, n, t.start, n, t.start, n % 200, t.start, n % 200, t.start), 'UTF8')
    FROM (SELECT to_char(lower(radbench.slot(n)) AT TIME ZONE 'UTC', 'YYYYMMDDHH24MI')) t(start)
    $$;
