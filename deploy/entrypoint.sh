#!/bin/sh
# podq in its image. A setting that is a secret may be given as a file: NAME_FILE in place of NAME.
set -eu
for name in REDIS_URL MONGODB_URI K8S_SSH_KEY_PASSPHRASE; do
  eval "file=\${${name}_FILE:-}"
  [ -z "$file" ] || export "$name=$(cat "$file")"
done
exec node /podq/apps/cli/src/main.ts "$@"
