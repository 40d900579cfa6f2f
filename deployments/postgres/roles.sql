-- Three roles for the ledger, each with what it needs and no more, in a schema of its own. Run it as a superuser in the ledger's
-- database; then bring the ledger up as its owner (DAILIES_LEDGER_URL=postgresql+psycopg://dailies_owner@…, dailies ledger upgrade);
-- then run it once more, for what can only be said of tables that are there. As often as you like. Passwords: \password ROLE.
--
--   dailies_owner    makes and upgrades tables; dailies ledger upgrade, copy and archive, dailies forget
--   dailies_worker   workers, hooks and people who run batches: adds and moves records, rewrites no history, changes no table
--   dailies_reader   dailies status, check, report: reads

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['dailies_owner', 'dailies_worker', 'dailies_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', role);
        END IF;
        -- Of the role and not of the address, so that they hold behind a pooler too. A statement that takes longer, or a transaction
        -- that waits for its client, is ended by the server, and tried again by dailies.
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = dailies', role, current_database());
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET idle_in_transaction_session_timeout = ''60s''', role, current_database());
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
    END LOOP;
    EXECUTE format('ALTER ROLE dailies_worker IN DATABASE %I SET statement_timeout = ''60s''', current_database());
    EXECUTE format('ALTER ROLE dailies_worker IN DATABASE %I SET lock_timeout = ''30s''', current_database());
    EXECUTE format('ALTER ROLE dailies_reader IN DATABASE %I SET statement_timeout = ''120s''', current_database());
    EXECUTE format('ALTER ROLE dailies_reader IN DATABASE %I SET default_transaction_read_only = on', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
END
$$;

CREATE SCHEMA IF NOT EXISTS dailies AUTHORIZATION dailies_owner;
GRANT USAGE ON SCHEMA dailies TO dailies_worker, dailies_reader;

ALTER DEFAULT PRIVILEGES FOR ROLE dailies_owner IN SCHEMA dailies GRANT SELECT, INSERT, UPDATE ON TABLES TO dailies_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE dailies_owner IN SCHEMA dailies GRANT USAGE ON SEQUENCES TO dailies_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE dailies_owner IN SCHEMA dailies GRANT SELECT ON TABLES TO dailies_reader;

DO $$
BEGIN
    IF to_regclass('dailies.meta') IS NOT NULL THEN
        GRANT DELETE ON dailies.request, dailies.store_probe TO dailies_worker;      -- what is settled; what was only tried
        REVOKE UPDATE ON dailies.event, dailies.verdict, dailies.comment, dailies.take FROM dailies_worker;   -- only ever appended to
        REVOKE INSERT, UPDATE ON dailies.meta, dailies.alembic_version, dailies.erased FROM dailies_worker;
    END IF;
END
$$;
