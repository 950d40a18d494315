# Sourced by the tests that run containers: a store of images and settings of their own below $work, so
# that nothing of this machine's podman is touched. $work and $tree are set before.
# shellcheck shell=bash
# shellcheck disable=SC2154

skip() {
	echo "skipped: $*"
	exit 77
}

fail() {
	echo "FAILED: $*"
	exit 1
}

pod() { podman "${store[@]}" "$@"; }

# podman_open [TOOL…]: needs root and the tools.
# shellcheck disable=SC2120
podman_open() {
	local tool
	[ "$(id -u)" = 0 ] || skip "containers without a registry need root"
	for tool in mmdebstrap podman runc "$@"; do
		command -v "$tool" >/dev/null || skip "no $tool (tests/run --deploy installs it)"
	done
	mkdir -p "$work"
	work=$(cd "$work" && pwd)
	cat >"$work/containers.conf" <<-CONF
		[containers]
		default_ulimits = ["nofile=1024:1024","nproc=1024:1024"]
		[engine]
		runtime = "runc"
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		[network]
		network_backend = "netavark"
		network_config_dir = "$work/networks"
	CONF
	export CONTAINERS_CONF=$work/containers.conf
	store=(--root "$work/storage" --runroot "$work/run" --storage-driver overlay)
}

# debian_base [PACKAGES]: a small Debian, made here, as $work/base.tar.
# shellcheck disable=SC2120
debian_base() {
	if [ ! -e "$work/base.tar" ]; then
		mmdebstrap --quiet --format=tar --variant=minbase --dpkgopt='path-exclude=/usr/share/doc/*' \
			--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
			${1:+"--include=$1"} bookworm "$work/base.tar.part" >"$work/base.log" 2>&1 ||
			skip "no Debian base could be made: $(tail -n 1 "$work/base.log")"
		mv "$work/base.tar.part" "$work/base.tar"
	fi
}

# podman_base [PACKAGES]: a small Debian, made here, as localhost/base.
# shellcheck disable=SC2120
podman_base() {
	debian_base "$@"
	pod image exists localhost/base || pod import -q "$work/base.tar" localhost/base >/dev/null 2>&1
	pod run --rm --network none localhost/base true >"$work/run.log" 2>&1 ||
		skip "this machine runs no containers: $(tail -n 1 "$work/run.log")"
}

# podman_images: localhost/ramet and localhost/ramet-playground, from deploy/Containerfile.
podman_images() {
	local target
	podman_base
	for target in '' playground; do
		buildah "${store[@]}" build --layers --isolation chroot --build-arg BASE=localhost/base \
			-f "$tree/deploy/Containerfile" -t "localhost/ramet${target:+-$target}" ${target:+--target "$target"} \
			"$tree" >"$work/build.log" 2>&1 || {
			tail -n 40 "$work/build.log"
			fail "the image does not build"
		}
	done
}

# podman_until NAME WHAT COMMAND…: waits for it, as long as the container NAME runs.
podman_until() {
	local name=$1 what=$2 end=$((SECONDS + 240))
	shift 2
	until "$@"; do
		[ $SECONDS -lt $end ] || fail "within 240 s not: $what"
		[ "$(pod inspect --format '{{.State.Running}}' "$name")" = true ] || fail "$name ended"
		read -rt 0.5 <> <(:) || true
	done
	echo "ok: $what"
}

podman_free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The playground's repository, in the container NAME.

podman_git() { # NAME ARG…
	local name=$1
	shift
	pod exec "$name" git -c safe.directory=/play/vms.git -C /play/vms.git "$@" 2>/dev/null
}

podman_is_applied() { # NAME
	local head
	head=$(podman_git "$1" rev-parse main)
	podman_git "$1" show ramet/status:summary.json | grep -q "\"applied\": *\"$head\""
}

podman_merge() { # NAME [OPTION OF EXEC…]
	local name=$1
	shift
	pod exec "$@" -w /play/checkout "$name" sh -euc \
		'sed -i "s/cores: 2/cores: 4/" vms/web-01.yaml && git commit -qam "more cores" && git push -q origin main'
}
