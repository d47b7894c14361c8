-- The bytes of all records, for `miguard fleet verify`:
--     psql -XAtqf lines.sql DATABASE >store && miguard fleet verify --keys keys store
SELECT line FROM miguard.records ORDER BY chain, sequence;
