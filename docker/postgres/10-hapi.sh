#!/bin/sh
# Runs once, when the data folder is made: the companion server's own role and database, with a password of its own.
set -eu
psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set ON_ERROR_STOP=1 \
    --set password="$(cat /run/secrets/hapi_password)" <<'SQL'
CREATE ROLE hapi LOGIN PASSWORD :'password';
CREATE DATABASE hapi OWNER hapi;
REVOKE ALL ON DATABASE careplan FROM PUBLIC;
SQL
