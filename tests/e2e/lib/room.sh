# shellcheck shell=bash
# A state directory with an end: a small tmpfs in a namespace of its own, which outlives the controllers in it.
# Sourced by scenarios, before the configuration is made.

# shellcheck disable=SC2154 # variables of stage.sh and run
mkdir "$stage/state"
: >"$stage/room"
# shellcheck disable=SC2016 # the inner shell expands
setpriv --pdeathsig KILL unshare -rm sh -c 'mount -t tmpfs -o size=2m tmpfs "$1" && echo mounted && exec sleep 1000' \
	sh "$stage/state" >"$stage/room" 2>&1 &
stage_pids[room]=$!
mounted_or_not() {
	grep -q mounted "$stage/room" || ! stage_is_up room
}
until_true "$bound" mounted_or_not
if ! grep -q mounted "$stage/room"; then
	echo "skipped: no file system can be mounted here: $(cat "$stage/room")"
	exit 77
fi
room=/proc/${stage_pids[room]}/root$stage/state
start_inside() {
	setpriv --pdeathsig KILL nsenter --preserve-credentials -U -m -t "${stage_pids[room]}" \
		env "${stage_env[@]}" "$stage_build/ramet" --config "$stage/ramet.yaml" run \
		>>"$stage/controller.out" 2>>"$stage/controller.log" </dev/null &
	stage_pids[controller]=$!
}
# To the last block, and of the journal's last block all but a line: empty lines, which nobody reads.
fill() {
	dd if=/dev/zero of="$room/fill" bs=4096 2>/dev/null
	! dd if=/dev/zero of="$room/more" bs=4096 count=1 2>/dev/null || story_fail "there is still room"
	local left=$((4096 - $(stat -c %s "$room/journal") % 4096 - 100))
	[ $left -le 0 ] || yes '' | head -n "$left" >>"$room/journal"
}
