#!/bin/sh
# Install the servers and tools that the tests start.
set -eu

missing=""
command -v redis-server >/dev/null || missing="$missing redis-server"
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null || missing="$missing rabbitmq-server"
[ -n "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || command -v initdb >/dev/null || missing="$missing postgresql"
command -v promtool >/dev/null || missing="$missing prometheus"
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
  missing="$missing chromium"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Not installed:$missing. On Debian or Ubuntu: sudo apt-get install$missing" >&2
  # Tests that need them are skipped, which the summary shows.
  [ "${CI:-}" != "true" ] || exit 1
  exit 0
fi

# Prevent apt from starting the services: 101 means "not allowed".
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

echo "Installing$missing"
apt-get update -qq
# Ubuntu's package has another name, and installs a snap.
apt-cache show chromium >/dev/null 2>&1 || missing=$(echo "$missing" | sed 's/ chromium/&-browser/')
# shellcheck disable=SC2086 # one word per package
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
