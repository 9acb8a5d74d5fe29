-- Keys and users of the HTTP API: what is kept of them, when they count, and what a transaction does in their name.
SET client_min_messages = warning;
CREATE ROLE rad_door_admin LOGIN;
CREATE ROLE rad_door_daemon LOGIN;
CREATE ROLE rad_door_elsewhere LOGIN;
SELECT site_id AS elsewhere FROM radscheduler.create_site('door_elsewhere', 'Elsewhere', 'UTC') site_id \gset
SELECT radscheduler.grant_role('admin', 'rad_door_admin'), radscheduler.grant_role('ingest', 'rad_door_daemon'), radscheduler.grant_role('admin', 'rad_door_elsewhere');
SELECT radscheduler.grant_site('rad_door_admin', (SELECT code FROM radscheduler.site WHERE site_id = 1)), radscheduler.grant_site('rad_door_daemon', '*'),
       radscheduler.grant_site('rad_door_elsewhere', 'door_elsewhere');

SET ROLE rad_door_admin;
-- A key is shown once; its hash alone is kept.
SELECT radscheduler.create_api_key('Mirth channel', ARRAY['hl7:ingest', 'slots:*'], '90 days', ARRAY['10.1.0.0/16', '127.0.0.0/8']::cidr[]) AS key \gset
SELECT :'key' ~ '^rsk_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}$' AS has_form, split_part(:'key', '_', 2) AS id, split_part(:'key', '_', 3) AS secret \gset
SELECT :'has_form' AS has_form;
SELECT k.name, k.scopes, k.networks, k.expires_at - k.created_at AS lives, k.revoked_at, k.last_used_at, k.created_by FROM radscheduler.api_key k WHERE k.key_id = :'id';
SELECT k.secret_hash FROM radscheduler.api_key k;
SELECT radscheduler.create_api_key('Bad', ARRAY['hl7:everything']);
SELECT radscheduler.create_api_key('Bad', '{}');
SELECT radscheduler.create_api_key('', ARRAY['hl7:read']);
SELECT radscheduler.create_api_key('Bad', ARRAY['hl7:read'], '-1 day');
SELECT radscheduler.create_api_key('Bad', ARRAY['hl7:read'], networks => '{}');
-- No two are alike.
SELECT count(DISTINCT split_part(radscheduler.create_api_key('Many', ARRAY['slots:read']), '_', 3)) FROM generate_series(1, 20);
-- An administrator does not admit keys; the daemon does.
SELECT * FROM radscheduler.admit_api_key('x', '', '127.0.0.1');
SET ROLE rad_door_daemon;
SELECT radscheduler.create_api_key('Bad', ARRAY['hl7:read']);
\set hash 'sha256(convert_to(:''secret'', ''UTF8''))'
SELECT a.site IS NOT NULL AS has_site, a.scopes FROM radscheduler.admit_api_key(:'id', :hash, '10.1.2.3') a;
SELECT count(*) AS wrong_network FROM radscheduler.admit_api_key(:'id', :hash, '192.0.2.7');
SELECT count(*) AS wrong_secret FROM radscheduler.admit_api_key(:'id', sha256('guess'), '10.1.2.3');
SELECT count(*) AS wrong_id FROM radscheduler.admit_api_key('AAAAAAAA', :hash, '10.1.2.3');
-- A daemon of one site takes no key of another.
SET radscheduler.site = 'door_elsewhere';
SELECT count(*) AS of_another_site FROM radscheduler.admit_api_key(:'id', :hash, '10.1.2.3');
RESET radscheduler.site;
RESET ROLE;
SELECT k.last_used_at > now() - interval '1 minute' AS was_used FROM radscheduler.api_key k WHERE k.key_id = :'id';
UPDATE radscheduler.api_key SET expires_at = now() WHERE key_id = :'id';
SET ROLE rad_door_daemon;
SELECT count(*) AS expired FROM radscheduler.admit_api_key(:'id', :hash, '10.1.2.3');
RESET ROLE;
UPDATE radscheduler.api_key SET expires_at = NULL WHERE key_id = :'id';
SET ROLE rad_door_elsewhere;
SELECT count(*) AS seen_elsewhere FROM radscheduler.api_key;
SELECT radscheduler.revoke_api_key('AAAAAAAA');
SELECT count(*) AS revoked_elsewhere FROM radscheduler.api_key k WHERE k.revoked_at IS NOT NULL;
SET ROLE rad_door_admin;
SELECT radscheduler.revoke_api_key(:'id');
SET ROLE rad_door_daemon;
SELECT count(*) AS revoked FROM radscheduler.admit_api_key(:'id', :hash, '10.1.2.3');

-- People: only a hash comes in, never a password.
SET ROLE rad_door_admin;
SELECT radscheduler.create_user('Rivera', 'Ana Rivera', '$y$j9T$saltsaltsalt$hashhashhash', ARRAY['appointments:*', 'slots:read']) IS NOT NULL AS made;
SELECT radscheduler.create_user('rivera', 'Ana Rivera', '$y$j9T$saltsaltsalt$hashhashhash', ARRAY['slots:read']);
SELECT radscheduler.create_user('okafor', 'Chidi Okafor', 'correct horse battery', ARRAY['slots:read']);
SELECT radscheduler.create_user('x', 'Chidi Okafor', '$y$j9T$saltsaltsalt$hashhashhash', ARRAY['slots:read']);
SELECT radscheduler.create_user('okafor', '', '$y$j9T$saltsaltsalt$hashhashhash', ARRAY['slots:read']);
SELECT radscheduler.create_user('okafor', 'Chidi Okafor', '$y$j9T$saltsaltsalt$hashhashhash', ARRAY['everything']);
SELECT u.login, u.name, u.scopes, u.is_active, u.token_version FROM radscheduler.app_user u;
SELECT u.password_hash FROM radscheduler.app_user u;
SELECT * FROM radscheduler.login_of('rivera', NULL);

-- Signing in, as the daemon asks: wrong passwords close the login for longer and longer.
SET ROLE rad_door_daemon;
SELECT l.login, l.password_hash, l.scopes, l.token_version, l.closed_for FROM radscheduler.login_of('RIVERA', NULL) l;
SELECT count(*) AS unknown FROM radscheduler.login_of('nobody', NULL);
SELECT count(*) AS elsewhere FROM radscheduler.login_of('rivera', 'door_elsewhere');
SELECT l.user_id AS rivera, l.site AS home FROM radscheduler.login_of('rivera', NULL) l \gset
SELECT radscheduler.note_login(:'home', :rivera, false) FROM generate_series(1, 4) \g /dev/null
SELECT l.closed_for AS after_four FROM radscheduler.login_of('rivera', NULL) l;
SELECT radscheduler.note_login(:'home', :rivera, false) \g /dev/null
SELECT l.closed_for BETWEEN 1 AND 2 AS after_five FROM radscheduler.login_of('rivera', NULL) l;
SELECT radscheduler.note_login(:'home', :rivera, false) FROM generate_series(1, 30) \g /dev/null
SELECT l.closed_for BETWEEN 880 AND 900 AS after_many FROM radscheduler.login_of('rivera', NULL) l;
SELECT radscheduler.note_login(:'home', :rivera, true) \g /dev/null
SELECT l.closed_for AS after_success FROM radscheduler.login_of('rivera', NULL) l;
SET radscheduler.site = 'door_elsewhere';
SELECT radscheduler.note_login(:'home', :rivera, false);
RESET radscheduler.site;

-- A transaction in somebody's name: confined to the site, named in the audit log, and only while the token counts.
BEGIN;
SELECT radscheduler.act_as(:'home', 'user:rivera', 'rivera', 1);
SELECT current_setting('radscheduler.site') = :'home' AS is_confined, current_setting('radscheduler.actor') AS actor;
COMMIT;
SELECT current_setting('radscheduler.site', true) AS site_after, current_setting('radscheduler.actor', true) AS actor_after;
SELECT radscheduler.act_as(:'home', 'user:rivera', 'rivera', 2) AS later_version, radscheduler.act_as('door_elsewhere', 'user:rivera', 'rivera', 1) AS other_site,
       radscheduler.act_as(:'home', 'user:nobody', 'nobody', 1) AS unknown;
SELECT radscheduler.act_as('door_elsewhere', 'key:AbCd1234', NULL, NULL) AS for_a_key;
-- In one statement with what it guards, as the daemon asks.
RESET ROLE;
SELECT radscheduler.grant_role('reader', 'rad_door_daemon');
SET ROLE rad_door_daemon;
SELECT r.status, r.body::jsonb ->> 'count' AS appointments
FROM radscheduler.act_as('door_elsewhere', 'key:AbCd1234', NULL, NULL) a(ok)
CROSS JOIN LATERAL (SELECT '{}'::jsonb AS params WHERE a.ok OFFSET 0) p
CROSS JOIN LATERAL radscheduler.api_appointments(p.params) r;

SET ROLE rad_door_admin;
SELECT radscheduler.set_user('rivera', scopes => ARRAY['slots:read']);
SELECT u.scopes, u.token_version FROM radscheduler.app_user u WHERE u.login = 'rivera';
SELECT radscheduler.set_user('rivera', name => 'Ana Rivera-Lund');
SELECT u.name, u.token_version FROM radscheduler.app_user u WHERE u.login = 'rivera';
SELECT radscheduler.set_user('rivera', active => false);
SELECT radscheduler.set_user('nobody', active => false);
SELECT radscheduler.set_user('rivera', password_hash => 'secret');
SET ROLE rad_door_daemon;
SELECT count(*) AS inactive FROM radscheduler.login_of('rivera', NULL);
SELECT radscheduler.act_as(:'home', 'user:rivera', 'rivera', 3) AS inactive;
RESET ROLE;

-- All of it is in the audit log, without secret or name.
SELECT e.action, e.object, count(*) AS times, bool_or(e.detail::text ~ 'Rivera|hash|horse') AS tells FROM radscheduler.audit_event e JOIN radscheduler.site s USING (site_id)
WHERE e.object IN ('api_key', 'app_user') AND s.code IN (:'home', 'door_elsewhere') GROUP BY 1, 2 ORDER BY 1;

DELETE FROM radscheduler.api_key;
DELETE FROM radscheduler.app_user;
SELECT radscheduler.revoke_role('admin', 'rad_door_admin'), radscheduler.revoke_role('ingest', 'rad_door_daemon'), radscheduler.revoke_role('reader', 'rad_door_daemon'), radscheduler.revoke_role('admin', 'rad_door_elsewhere');
SELECT radscheduler.revoke_site('rad_door_admin', :'home'), radscheduler.revoke_site('rad_door_daemon', '*'), radscheduler.revoke_site('rad_door_elsewhere', 'door_elsewhere');
DROP ROLE rad_door_admin;
DROP ROLE rad_door_daemon;
DROP ROLE rad_door_elsewhere;
