-- The records: created with the code, then handed to the database.
SELECT radscheduler.provision();
