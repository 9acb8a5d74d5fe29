\set key random(1, 500)
\set choice random(0, 93599)
SELECT contention.clerk(:key, :choice);
