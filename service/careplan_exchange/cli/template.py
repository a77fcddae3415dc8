"""The commented settings file that `careplan init` writes. Every line in it is a real setting, at its default."""

import json


def settings_file(endpoint: str) -> str:
    """careplan.toml with one endpoint named `hospital`."""
    return f"""\
# Settings of careplan-exchange. Over this file stand the environment (CAREPLAN_SERVER__PORT=9000) and a
# command's options, in that order. A misspelt key is an error.

log_level = "WARNING"            # DEBUG, INFO, WARNING, ERROR; logs never hold a patient's data

[endpoints.hospital]
url = {json.dumps(endpoint, ensure_ascii=False)}
# identity = "hospital"          # names this server in identifiers; set it first if the URL may change
# vendor = "epic"                # whose query plan is used, where the server's software does not tell
auth = "none"                    # "none", "basic", "bearer" (token_…) or "smart" (client_id …)
# username = "careplan"
# password_env = "HOSPITAL_PASSWORD"          # the environment variable that holds the password
# password_file = "/run/secrets/hospital"     # or a file
# token_env = "HOSPITAL_TOKEN"
# token_file = "/run/secrets/hospital-token"  # read again for every request
# client_id = "careplan"                      # SMART Backend Services: as whom you are registered
# private_key_file = "/run/secrets/hospital-key.json"    # `careplan keys new`; read again when it changes
# kid = "key-1"                               # over the id in the key's file
# published_key_files = ["/run/secrets/hospital-key-next.json"]   # in our JWKS too, while keys are rotated
# scopes = "system/*.rs system/CarePlan.cu"   # v1 (system/*.read) or v2, for each type that is written
# token_url = "https://fhir.example.org/token"          # where the server does not say it itself
# fhir_version = "4.0"           # where the server does not say it, or speaks several: "4.0", "4.3" or "5.0"
# companion = "other"            # where a plan goes if this server takes neither plan nor document
# ca_bundle = "/etc/ssl/hospital-ca.pem"      # a private certificate authority
# client_certificate = "/run/secrets/client.pem"        # mutual TLS
# client_key = "/run/secrets/client-key.pem"            # where the key is in another file
# proxy = "http://proxy.example.org:3128"     # over HTTPS_PROXY
# headers = {{ "Epic-Client-ID" = "…" }}        # fixed headers of every FHIR request
timeout_seconds = 30
attempts = 4                     # for requests that are safe to repeat
concurrency = 5                  # requests at once, over all processes of this host
patient_deadline_seconds = 300   # reading one patient's record, all retries and waits included
max_response_mb = 64

[store]
url = "sqlite:///careplan.db"    # or "postgresql://careplan@db/careplan"
# password_env = "DB_PASSWORD"
# password_file = "/run/secrets/db"
# key_file = "/run/secrets/store.key"   # seals what is clinical (careplan store key new)
# key_env = "STORE_KEY"            # or a variable
# old_key_files = ["/run/secrets/old.key"]   # only open what they sealed, while keys are rotated

[audit]
events = "transaction"           # AuditEvents go with a write, or are "kept", or go to a "repository"
# repository = "arr"             # an endpoint that takes AuditEvents

[server]                         # careplan serve
host = "127.0.0.1"               # beyond loopback it needs api_key_file or oidc_issuer
port = 8000
# api_key_file = "/run/secrets/careplan-api-key"
# oidc_issuer = "https://login.example.org/"
# oidc_audience = "careplan-exchange"

[ledger]                         # whose it is, and who vouches for it
tenant = "default"               # each tenant of a database has a chain of its own; never change it
# signing_key_file = "/run/secrets/ledger-key.pem"    # from `careplan audit key new`: its head is signed then
# signing_key_env = "LEDGER_KEY"
# public_keys = ["ledger-key-old.pub@120000"]         # further keys that are believed; @ the entry of retirement
sign_every_entries = 1000        # whichever comes first
sign_every_minutes = 60

[knowledge]
# overlay = "./site"             # mappings/, profiles/, protocols/ in it are laid over ours;
                                 # protocols/review/policy.yaml says what may be written without a person
"""
