#!/bin/sh
# Prepares the directories, gives up root, and becomes the server. Any other command is run as it is.
set -eu

# `docker run IMAGE --flag`
case "${1-}" in
  -*) set -- rabbitmq-server "$@" ;;
esac

as_rabbitmq() {
  if command -v su-exec >/dev/null; then
    exec su-exec rabbitmq "$@"
  fi
  # Where there is no su-exec; HOME and the environment stay.
  exec su -m -s /bin/sh -- rabbitmq -c 'exec "$0" "$@"' "$@"
}

case "${1-}" in
  rabbitmq* | leveret)
    if [ "$(id -u)" = 0 ]; then
      # A volume belongs to root at first. What belongs to rabbitmq already is not touched: there may be much of it.
      for directory in /var/lib/rabbitmq /var/log/rabbitmq; do
        mkdir -p "$directory"
        find "$directory" \! -user rabbitmq -exec chown rabbitmq '{}' +
      done
      as_rabbitmq "$@"
    fi
    ;;
esac

exec "$@"
