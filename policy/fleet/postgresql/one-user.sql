-- What one user did on all hosts: -v user=NAME, in the last :days days (7).
\if :{?days}
\else
\set days 7
\endif
SELECT time, host, action, decision, reason, provider, operation, class, event_id
FROM miguard.records
WHERE user_name = :'user' AND time >= now() - make_interval(days => :days)
ORDER BY time, host, sequence;
