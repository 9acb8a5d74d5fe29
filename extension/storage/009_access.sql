-- Who may do what, and where. Roles are kept by name: a restored database must not depend on which roles its new cluster has.

CREATE TABLE radscheduler.role_grant (
    role_name  text        NOT NULL,
    kind       text        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (role_name, kind)
);
COMMENT ON TABLE  radscheduler.role_grant IS 'The kinds of each role, as grant_role() gave them; migrate() renews their rights.';
COMMENT ON COLUMN radscheduler.role_grant.role_name IS 'Name of the role.';
COMMENT ON COLUMN radscheduler.role_grant.kind IS 'reader, scheduler, ingest, analyst, auditor or admin.';
COMMENT ON COLUMN radscheduler.role_grant.granted_at IS 'When.';

CREATE TABLE radscheduler.site_grant (
    site_id    integer     REFERENCES radscheduler.site ON DELETE CASCADE,
    role_name  text        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    UNIQUE NULLS NOT DISTINCT (site_id, role_name)
);
COMMENT ON TABLE  radscheduler.site_grant IS 'The sites whose rows a role, and every role that inherits from it, may use.';
COMMENT ON COLUMN radscheduler.site_grant.site_id IS 'Site; NULL is every site, present and future.';
COMMENT ON COLUMN radscheduler.site_grant.role_name IS 'Name of the role.';
COMMENT ON COLUMN radscheduler.site_grant.granted_at IS 'When.';

CREATE TABLE radscheduler.lock_secret (
    secret text PRIMARY KEY
);
INSERT INTO radscheduler.lock_secret (secret) VALUES (pg_catalog.replace(pg_catalog.gen_random_uuid()::text || pg_catalog.gen_random_uuid()::text, '-', ''));
COMMENT ON TABLE  radscheduler.lock_secret IS 'One row: what keys of advisory locks are made with, so that pg_locks tells nobody whose records are in use. Nobody needs a right on it.';
COMMENT ON COLUMN radscheduler.lock_secret.secret IS 'Random, made once.';
