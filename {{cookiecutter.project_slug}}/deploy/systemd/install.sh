#!/bin/sh
# Install or upgrade this project on a host with systemd:
#
#   sudo deploy/systemd/install.sh              install or upgrade, then start or restart the services
#        deploy/systemd/install.sh --dry-run    print the commands, change nothing
#   sudo deploy/systemd/install.sh --rollback   return to the previous release and its units
#   sudo deploy/systemd/install.sh --uninstall  stop and remove everything except settings and state
#
# A host runs all services, or those of the roles that these options select:
#
#   --role worker [--queue NAME ...]  the workers, or only those for these queues
{% if plan().features.beat %}
#   --role beat                       beat
{% endif %}
{% if plan().features.fastapi %}
#   --role web                        the HTTP API
{% elif plan().features.django %}
#   --role web                        the HTTP API and the admin
{% endif %}
{% if plan().features.outbox %}
#   --role outbox                     the relay of the outbox
{% endif %}
{% if plan().features.flower %}
#   --role monitoring                 the exporter and Flower
{% elif plan().features.monitoring %}
#   --role monitoring                 the exporter
{% endif %}
#
# An upgrade without --role keeps the roles and each service that systemctl enabled, disabled or masked.
# Settings are in /etc/{{ cookiecutter.project_slug }}/environment, which is never overwritten.
# To change a unit, use `systemctl edit`.
# Exit status: 0 for success, 1 for an error or if a service does not run the installed release, 2 for wrong usage.
set -eu

slug={{ cookiecutter.project_slug }}
user={{ plan().system_user }}
target=$slug.target
etc=/etc/$slug
opt=/opt/$slug
# A file in /etc/systemd/system would prevent `systemctl mask`.
units=/usr/local/lib/systemd/system
preset=/etc/systemd/system-preset/50-$slug.preset
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
root=$(CDPATH='' cd "$here/../.." && pwd)

fail() {
  echo "$1" >&2
  exit 1
}

usage() {
  sed -n '2,/^set /s/^#[ ]\{0,1\}//p' "$0"
  exit "$1"
}

# Selects services for this host: adds lines to its preset, see systemd.preset(5).
select_services() {
  for name in "$@"; do
    selected="${selected:+$selected
}enable $slug-$name.service"
  done
}

dry_run=
action=install
selected=
workers=
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry_run=yes ;;
    --rollback | --uninstall) action=${1#--} ;;
    --role)
      case ${2-} in
        worker) workers=${workers:-all} ;;
{% if plan().features.beat %}
        beat) select_services beat ;;
{% endif %}
{% if plan().features.fastapi %}
        web) select_services api ;;
{% elif plan().features.django %}
        web) select_services web ;;
{% endif %}
{% if plan().features.outbox %}
        outbox) select_services outbox ;;
{% endif %}
{% if plan().features.flower %}
        monitoring) select_services exporter flower ;;
{% elif plan().features.monitoring %}
        monitoring) select_services exporter ;;
{% endif %}
        *) usage 2 ;;
      esac
      shift
      ;;
    --queue)
      [ -e "$here/$slug-worker-${2-}@.service" ] || fail "unknown queue: ${2-}"
      select_services "worker-$2@"
      workers=some
      shift
      ;;
    --help) usage 0 ;;
    *) usage 2 ;;
  esac
  shift
done
[ "$workers" != all ] || select_services 'worker-*'
{% if plan().features.django %}
# Each host migrates the database before its services start.
[ -z "$selected" ] || select_services migrate
{% endif %}

# Runs a command, or prints it in a dry run.
run() {
  if [ "$dry_run" ]; then echo "+ $*"; else "$@"; fi
}

# Writes standard input to a file with a mode, or prints it in a dry run.
write() {
  if [ "$dry_run" ]; then echo "+ write $2:" && sed 's/^/+   /'; else install -D -m "$1" /dev/stdin "$2"; fi
}

random() {
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

# The user, the directories and the journal of the services.
install_system() {
  run install -D -m 644 "$here/$slug.sysusers.conf" "/etc/sysusers.d/$slug.conf"
  run systemd-sysusers "/etc/sysusers.d/$slug.conf"
  run install -D -m 644 "$here/$slug.tmpfiles.conf" "/etc/tmpfiles.d/$slug.conf"
  run systemd-tmpfiles --create "/etc/tmpfiles.d/$slug.conf"
  run install -m 644 "$here/journald@$slug.conf" /etc/systemd
}

# Builds a release in a separate directory, so that running services keep theirs. After an error, removes it.
build_release() {
  python=$(python3 -c 'import sys; print(sys.executable)')
  uv=$(command -v uv || true)
  if [ -z "$uv" ]; then
    uv=$opt/uv/bin/uv
    run "$python" -m venv "$opt/uv"
    run "$opt/uv/bin/pip" install --quiet --disable-pip-version-check \
      --requirement "$root/deploy/uv/requirements.txt"
  fi
  release=$opt/releases/$(date -u +%Y%m%dT%H%M%SZ)
  [ "$dry_run" ] || trap 'rm -rf "$release"' EXIT
  # Reinstalled, because uv would use the cached build of the same version although the source has changed.
  run env UV_CACHE_DIR="$opt/cache" UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT="$release" \
{% if plan().features.flower %}
    UV_PYTHON_DOWNLOADS=never "$uv" sync --quiet --project "$root" --python "$python" --locked --no-dev --group flower --no-editable \
{% else %}
    UV_PYTHON_DOWNLOADS=never "$uv" sync --quiet --project "$root" --python "$python" --locked --no-dev --no-editable \
{% endif %}
    --reinstall-package "$slug"
{% if plan().features.django %}
  # The static files of the admin, which WhiteNoise serves.
  run "$release/bin/python" -m django collectstatic --no-input --verbosity 0 \
    --settings {{ cookiecutter.project_slug }}.settings.development
{% endif %}
  [ "$dry_run" ] || runuser -u "$user" -- "$release/bin/celery" --version >/dev/null ||
    fail "the user $user cannot run $release/bin/celery: check that the user may read its Python"
  # The units contain the path of the release instead of the link: a service never mixes the code of two releases.
  run cp -R "$here" "$release/systemd"
  run sed -i "s|$opt/current/|$release/|" "$release/systemd/$slug"-*.service
}

install_settings() {
  if [ ! -e "$etc/environment" ]; then
    # .env.example without Compose's passwords, for servers on this host. Empty variables would override those of units.
    sed -e '/^# Passwords of/,/^$/d' -e 's/\${[A-Z]*_PASSWORD}@[a-z]*:/CHANGE_ME@localhost:/' \
      -e "s/_KEY=\$/&$(random)/" -e 's/^[A-Z_]*=$/# &/' "$root/.env.example" | write 600 "$etc/environment"
  fi
{% if plan().features.flower %}
  [ -e "$etc/flower.env" ] || echo "FLOWER_BASIC_AUTH=flower:$(random)" | write 600 "$etc/flower.env"
{% endif %}
  if [ "$selected" ] || [ ! -e "$preset" ]; then
    printf '%s\n' "${selected:-enable $slug-*}" "enable $target" "disable $slug-*" | write 644 "$preset"
  fi
}

# Keeps this release and the two before it.
remove_old_releases() {
  find "$opt/releases" -mindepth 1 -maxdepth 1 2>/dev/null | sort -r | tail -n +4 | while read -r old; do
    run rm -rf "$old"
  done
}

install_units() {
  # Remove the services that this release does not contain.
  for file in "$units/$slug"-*.service; do
    unit=${file##*/}
    if [ -e "$file" ] && [ ! -e "$here/$unit" ]; then
      run systemctl disable --quiet "$unit"
      run systemctl stop "$(echo "$unit" | sed 's/@/@*/')"
      run rm "$file"
    fi
  done
  # Apply the preset to new services, or with --role to all. Skip masked services: systemctl would fail.
  new=
  for file in "$here/$slug"-*.service "$here/$target"; do
    unit=${file##*/}
    [ "$(systemctl is-enabled "$unit" 2>/dev/null)" != masked ] || continue
    if [ "$selected" ] || [ ! -e "$units/$unit" ]; then new="$new $unit"; fi
  done
  run mkdir -p "$units"
  run rm -rf "$units/$slug"-*.service.d
  run cp -R "$here/$slug"-*.service "$here/$slug"-*.service.d "$here/$target" "$units"
  run systemctl daemon-reload
  # shellcheck disable=SC2086 # names of units contain no spaces
  [ -z "$new" ] || run systemctl preset --quiet $new
}

# Prints the services of this project in these states.
list_services() {
  [ "$dry_run" ] || systemctl list-units --plain --no-legend --state="$1" "$slug-*.service" | cut -d ' ' -f 1
}

# Fails if a service does not run the release, and prints its name.
check() {
  trap - EXIT
  failed=
  for unit in $({ systemctl show --value -p Wants "$target" | tr ' ' '\n' && list_services active,deactivating; } | sort -u); do
    pid=$(systemctl show --value -p MainPID "$unit")
    if [ "$pid" != 0 ] && ! grep -qF "$release/" "/proc/$pid/cmdline"; then
      failed="$failed
$unit still runs another release"
    elif [ "$(systemctl show --value -p LoadState "$unit")" != masked ] && ! systemctl is-active --quiet "$unit"; then
      failed="$failed
$unit does not run"
    fi
  done
  [ -z "$failed" ] || fail "Not all services run $release:$failed
Logs: journalctl --namespace=+$slug. Run this command again, or return to the previous release with --rollback."
}

# Switches this host to a release. Reports the services that do not run it, also after an error or Ctrl+C.
switch_to() {
  release=$1
  [ -d "$release/systemd" ] && here=$release/systemd
  [ "$dry_run" ] || trap 'check; exit 1' EXIT
  run ln -sfn "$release" "$opt/current.new"
  run mv -T "$opt/current.new" "$opt/current"
  install_units
  if [ ! -e "$etc/environment" ] || grep -q '^[^#]*CHANGE_ME' "$etc/environment"; then
    trap - EXIT
    echo "Set the addresses and passwords of the servers in $etc/environment, then run: systemctl start $target"
    return
  fi
  if [ "$selected" ]; then
    # This also stops the services of other roles.
    run systemctl stop "$target"
  fi
  started=$(list_services active)
  run systemctl restart "$target"
  # Wait for services that were started but not enabled: the target restarts them, but does not wait.
  # shellcheck disable=SC2086 # names of units contain no spaces
  [ -z "$started" ] || systemctl start $started
  run systemctl --no-pager list-dependencies "$target"
  [ "$dry_run" ] || check
}

rollback() {
  current=$(readlink "$opt/current") || fail "$slug is not installed"
  here=$(printf '%s\n' "$opt"/releases/*/systemd | sort | sed -n "\\|^$current/|q;p" | tail -n 1)
  [ "$here" ] || fail "no release before $current"
  switch_to "${here%/systemd}"
}

uninstall() {
  run systemctl stop "$target" "$slug-*.service"
  for file in "$units/$slug"-*.service "$units/$target"; do
    run systemctl disable --quiet "${file##*/}"
  done
  run rm -rf "$opt" "$units/$slug"-*.service "$units/$slug"-*.service.d "$units/$target" "$preset" \
    "/etc/sysusers.d/$slug.conf" "/etc/tmpfiles.d/$slug.conf" "/etc/systemd/journald@$slug.conf"
  run systemctl daemon-reload
  run systemctl reset-failed "$slug-*"
  echo "Kept: $etc, changes by systemctl edit, /var/lib/$slug, its journal and the user $user."
}

[ "$dry_run" ] || [ "$(id -u)" -eq 0 ] || fail "run as root, or with --dry-run"
trap 'exit 1' HUP INT TERM

case $action in
  install)
    [ -e "$root/uv.lock" ] || fail "uv.lock is missing: run make lock first"
    install_system
    build_release
    install_settings
    switch_to "$release"
    remove_old_releases
    ;;
  rollback) rollback ;;
  uninstall) uninstall ;;
esac
