CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, city INTEGER);
WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < 5000)
  INSERT INTO person (name, city)
  SELECT 'person ' || (i * 7919 % 10007), i * 104729 % 997 FROM number;
CREATE INDEX by_name ON person (name, city);
SELECT count(*), min(name), max(name) FROM person WHERE name > 'person 5';
