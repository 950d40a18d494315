# shellcheck shell=bash
# Installing Debian packages that a script of this tree lacks. To be sourced, not run.
#
# need_packages WHY PACKAGE…   says what is missing and why, installs it as root or with sudo, and
#                              fails if something is missing afterwards. Quiet when all is there.
#
# Output goes to standard error: the standard output belongs to the script that asks.

# Services that packages bring along and that nobody asked for: we start our own servers by hand,
# on their own ports. They are switched off after a fresh installation only.
declare -A packages_services=(
	[nginx-light]="nginx.service"
	[fcgiwrap]="fcgiwrap.service fcgiwrap.socket"
	[openssh-server]="ssh.service ssh.socket"
	[prometheus]="prometheus.service prometheus-node-exporter.service"
	[podman]="podman.service podman.socket podman-auto-update.timer podman-restart.service"
)

packages_updated=

packages_missing() {
	local p
	for p in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
	done
}

packages_as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# A package that starts its service while it is installed would take port 80.
packages_install() {
	local policy=/usr/sbin/policy-rc.d own_policy='' rc=0
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | packages_as_root tee "$policy" >/dev/null &&
			packages_as_root chmod 755 "$policy" && own_policy=1
	fi
	packages_as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
		--no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >&2 </dev/null || rc=$?
	[ -z "$own_policy" ] || packages_as_root rm -f "$policy"
	return "$rc"
}

packages_switch_off() {
	local p unit
	command -v systemctl >/dev/null || return 0
	for p in "$@"; do
		for unit in ${packages_services[$p]-}; do
			packages_as_root systemctl disable "$unit" >/dev/null 2>&1 || true
		done
	done
}

need_packages() {
	local why=$1 missing
	shift
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		echo "This is not Debian: packages are not installed for you. $why needs the equivalents of: $*" >&2
		return 0
	fi
	read -ra missing <<<"$(packages_missing "$@" | tr '\n' ' ')"
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "Installing Debian packages for $why: ${missing[*]}" >&2
	if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
		echo "This takes root, and there is no sudo. As root, run:" >&2
		echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
		return 1
	fi
	# A foreign package source that is down must not stop us: what counts is whether the
	# packages can be installed.
	if [ -z "$packages_updated" ]; then
		packages_as_root apt-get update -q -o DPkg::Lock::Timeout=300 >&2 </dev/null ||
			echo "apt-get update failed, trying with the lists that are there" >&2
		packages_updated=1
	fi
	packages_install "${missing[@]}" || true
	packages_switch_off "${missing[@]}"
	read -ra missing <<<"$(packages_missing "${missing[@]}" | tr '\n' ' ')"
	if [ ${#missing[@]} -gt 0 ]; then
		echo "Could not install: ${missing[*]}. See the messages of apt-get above." >&2
		return 1
	fi
}
