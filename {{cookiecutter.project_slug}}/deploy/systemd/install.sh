#!/bin/sh
# Installs this project on a machine with systemd, or brings an installed one up to date:
#
#   sudo deploy/systemd/install.sh              install or upgrade, then start or restart everything
#        deploy/systemd/install.sh --dry-run    say what would be done, and do nothing
#   sudo deploy/systemd/install.sh --rollback   go back to the release before, with the units that it had
#   sudo deploy/systemd/install.sh --uninstall  stop and remove everything but settings and state
#
# Settings are in /etc/{{ cookiecutter.project_slug }}; what is there is never overwritten.
# The exit status is 1 if something does not run in the end.
set -eu

slug={{ cookiecutter.project_slug }}
user={{ plan().system_user }}
target=$slug.target
etc=/etc/$slug
opt=/opt/$slug
units=/etc/systemd/system
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
root=$(CDPATH='' cd "$here/../.." && pwd)

dry_run=
action=install
for argument in "$@"; do
  case $argument in
    --dry-run) dry_run=yes ;;
    --rollback | --uninstall) action=${argument#--} ;;
    *)
      sed -n '2,/^set /s/^#[ ]\{0,1\}//p' "$0"
      [ "$argument" = --help ] && exit 0
      exit 2
      ;;
  esac
done

fail() {
  echo "$1" >&2
  exit 1
}

# Runs a command, or shows it in a dry run.
run() {
  if [ "$dry_run" ]; then echo "+ $*"; else "$@"; fi
}

# Prints the units that this project consists of: a worker for each queue, and what else has a unit here.
services() {
  for file in "$here"/worker-*.env; do
    queue=${file##*/worker-}
    echo "$slug-worker@${queue%.env}.service"
  done
  for file in "$here/$slug"-*.service; do
    case $file in *@.service) ;; *) echo "${file##*/}" ;; esac
  done
}

# Makes a release in a folder of its own, so that running workers keep theirs until they are restarted.
install_release() {
  python=$(python3 -c 'import sys; print(sys.executable)')
  uv=$(command -v uv || true)
  if [ -z "$uv" ]; then
    uv=$opt/uv/bin/uv
    run "$python" -m venv "$opt/uv"
    run "$opt/uv/bin/pip" install --quiet --disable-pip-version-check \
      "uv==$(sed -n 's/^ARG UV_VERSION=//p' "$root/Dockerfile")"
  fi
  release=$opt/releases/$(date -u +%Y%m%dT%H%M%SZ)
  # Reinstalled, or uv would take the same version from its cache although the source has changed.
  run env UV_CACHE_DIR="$opt/cache" UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT="$release" \
{% if plan().features.flower %}
    UV_PYTHON_DOWNLOADS=never "$uv" sync --quiet --project "$root" --python "$python" --locked --no-dev --group flower --no-editable \
{% else %}
    UV_PYTHON_DOWNLOADS=never "$uv" sync --quiet --project "$root" --python "$python" --locked --no-dev --no-editable \
{% endif %}
    --reinstall-package "$slug"
{% if plan().features.django %}
  # The style sheets and scripts of the admin, for WhiteNoise to serve.
  run "$release/bin/python" -m django collectstatic --no-input --verbosity 0 \
    --settings {{ cookiecutter.project_slug }}.settings.development
{% endif %}
  [ "$dry_run" ] || runuser -u "$user" -- "$release/bin/celery" --version >/dev/null ||
    fail "the user $user cannot run $release/bin/celery: is its Python in a place that only root may read?"
  # For a rollback.
  run cp -R "$here" "$release/systemd"
}

# Keeps the current release and the two before it.
remove_old_releases() {
  find "$opt/releases" -mindepth 1 -maxdepth 1 2>/dev/null | sort -r | tail -n +4 | while read -r old; do
    run rm -rf "$old"
  done
}

# Points the units at a release, in one step.
activate() {
  run ln -sfn "$1" "$opt/current.new"
  run mv -T "$opt/current.new" "$opt/current"
}

install_settings() {
  if [ ! -e "$etc/environment" ]; then
    # What .env.example says, without Compose's passwords and for servers on this machine.
    random=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
    environment=$(sed -e '/^# The passwords/,/^$/d' -e 's/\${[A-Z]*_PASSWORD}@[a-z]*:/CHANGE_ME@localhost:/' \
      -e "s/_KEY=\$/_KEY=$random/" "$root/.env.example")
    if [ "$dry_run" ]; then
      echo "+ write $etc/environment"
    else
      (umask 077 && echo "$environment" >"$etc/environment")
    fi
  fi
  for file in "$here"/*.env; do
    [ -e "$etc/${file##*/}" ] || run install -m 640 "$file" "$etc"
  done
{% if plan().features.flower %}
  if [ ! -e "$etc/flower.env" ] && [ ! "$dry_run" ]; then
    random=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
    (umask 077 && echo "FLOWER_BASIC_AUTH=flower:$random" >"$etc/flower.env")
  fi
{% endif %}
}

# The user and the folders that the services need, and how long their logs are kept.
install_system() {
  run install -D -m 644 "$here/$slug.sysusers.conf" "/etc/sysusers.d/$slug.conf"
  run systemd-sysusers "/etc/sysusers.d/$slug.conf"
  run install -D -m 644 "$here/$slug.tmpfiles.conf" "/etc/tmpfiles.d/$slug.conf"
  run systemd-tmpfiles --create "/etc/tmpfiles.d/$slug.conf"
  run install -m 644 "$here/journald@$slug.conf" /etc/systemd
}

install_units() {
  run install -m 644 "$here/$slug"-*.service "$here/$target" "$units"
  for file in "$here"/worker-*.conf; do
    queue=${file##*/worker-}
    run install -D -m 644 "$file" "$units/$slug-worker@${queue%.conf}.service.d/10-queue.conf"
  done
  run systemctl daemon-reload
  # What an earlier release had and this one has not.
  for link in "$units/$target.wants"/*; do
    [ ! -L "$link" ] || services | grep -qxF "${link##*/}" || run systemctl disable --now "${link##*/}"
  done
  # shellcheck disable=SC2046 # names of units have no spaces
  run systemctl enable --quiet "$target" $(services)
}

restart() {
  if [ ! -e "$etc/environment" ] || grep -q CHANGE_ME "$etc/environment"; then
    echo "Now write the addresses and passwords of the servers into $etc/environment, then: systemctl start $target"
  else
    run systemctl restart "$target" || true
    run systemctl --no-pager list-dependencies "$target"
    for unit in $(services); do
      run systemctl is-active --quiet "$unit" ||
        fail "$unit does not run. See journalctl --namespace=+$slug, or go back with --rollback."
    done
  fi
}

rollback() {
  current=$(readlink "$opt/current") || fail "$slug is not installed"
  # One that could not be finished has no units.
  here=$(printf '%s\n' "$opt"/releases/*/systemd | sort | sed -n "\\|^$current/|q;p" | tail -n 1)
  [ "$here" ] || fail "there is no release before $current"
  activate "${here%/systemd}"
  install_units
  restart
}

uninstall() {
  run systemctl stop "$target" "$slug-*.service"
  # shellcheck disable=SC2046 # names of units have no spaces
  run systemctl disable --quiet "$target" $(services)
  for file in "$here/$slug"-*.service; do
    run rm -f "$units/${file##*/}"
  done
  run rm -rf "$opt" "$units/$target" "$units/$target.wants" "$units/$slug-worker@"*.service.d \
    "/etc/sysusers.d/$slug.conf" "/etc/tmpfiles.d/$slug.conf" "/etc/systemd/journald@$slug.conf"
  run systemctl daemon-reload
  echo "Left: $etc, /var/lib/$slug, its journal and the user $user."
}

[ "$dry_run" ] || [ "$(id -u)" -eq 0 ] || fail "run it as root, or with --dry-run"

case $action in
  install)
    [ -e "$root/uv.lock" ] || fail "there is no uv.lock: run make lock first"
    install_system
    install_release
    install_settings
    activate "$release"
    install_units
    remove_old_releases
    restart
    ;;
  rollback) rollback ;;
  uninstall) uninstall ;;
esac
