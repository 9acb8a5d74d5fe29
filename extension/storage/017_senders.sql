-- What a site does with senders that nobody has registered, and what holds for all its senders.

ALTER TABLE radscheduler.site
    ADD COLUMN unknown_senders text NOT NULL DEFAULT 'accept' CONSTRAINT site_unknown_senders_known CHECK (unknown_senders IN ('accept', 'refuse')),
    ADD COLUMN default_profile jsonb NOT NULL DEFAULT '{}' CONSTRAINT site_default_profile_understood CHECK (radscheduler.is_profile(default_profile));
COMMENT ON COLUMN radscheduler.site.unknown_senders IS
    'What becomes of messages of senders that are not registered: accept takes them with the default profile, refuse keeps and answers them AR. Either way the pair is recorded.';
COMMENT ON COLUMN radscheduler.site.default_profile IS 'Profile that stands under the profile of every sender of the site; profile_key has the keys.';
COMMENT ON COLUMN radscheduler.sender.profile IS 'How its messages are read, where it differs from site.default_profile: the keys of profile_key.';
