# Configurations of guests as leaves, and their comparison. Knows PVE's notation and nothing of Ramet's.

def is_mac: test("^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$");
def is_drive: test("^(ide|sata|scsi|virtio|efidisk|tpmstate)[0-9]+$");

# "a,b=c" → [["", "a"], ["b", "c"]]
def parts:
	split(",") | map(select(. != "")
		| index("=") as $i
		| if $i == null then ["", .] else [.[:$i], .[$i + 1:]] end);

# The first part of some property strings may stand without its key.
def first_key: {vga: "type", cpu: "type", rng0: "source", agent: "enabled"};

def leaves:
	to_entries
	| map(.key as $k | (.value | tostring) as $v
		| if $k | test("^net[0-9]+$") then
			$v | parts[]
			| if .[0] != "macaddr" and (.[1] | is_mac)
				then {"\($k).model": .[0]}, {"\($k).mac": (.[1] | ascii_upcase)}
				else {"\($k).\(.[0])": .[1]} end
		elif $k | is_drive then
			$v | parts[]
			| if .[0] == "" or .[0] == "file" then
				(.[1] | index(":")) as $i
				| if $i == null or (.[1][$i + 1:] | startswith("iso/")) then {"\($k).file": .[1]}
				else {"\($k).storage": .[1][:$i]}, {"\($k).volume": .[1][$i + 1:]} end
			else {"\($k).\(.[0])": .[1]} end
		elif $k == "smbios1" or first_key[$k] then
			$v | parts[]
			| {"\($k).\(if .[0] == "" or .[0] == "cputype" then first_key[$k] else .[0] end)": .[1]}
		elif $k == "tags" then
			{tags: ($v | [splits("[;, ]+")] | map(select(. != "")) | sort | join(";"))}
		else {($k): $v} end)
	| add // {};

# What cloning changes by itself. The name has a value of its own to be compared with.
def of_pve:
	. == "digest" or . == "template" or . == "vmgenid" or . == "smbios1.uuid"
	or test("^net[0-9]+\\.mac$") or test("^unused[0-9]+$")
	or test("^(ide|sata|scsi|virtio|efidisk|tpmstate)[0-9]+\\.volume$");

# Ramet's own marker and tag, which must be there, taken away.
def without_marker($id; $name; $vmid; $tag):
	((.description // "") | rtrimstr("\n") | split("\n")) as $lines
	| "^ramet: \($id)/\($name) vmid=\($vmid) [0-9A-Za-z]+$" as $marker
	| ($lines | map(select(test("^ramet: "))) | length) as $n
	| if $n != 1 or ($lines | last | test($marker) | not)
		then .["no marker as its last line, or more than one"] = (.description // "none")
		else . end
	| ([$lines[] | select(test("^ramet: ") | not)] | join("\n") | sub("\\s+$"; "")) as $rest
	| if $rest == "" then del(.description) else .description = $rest end
	| ((.tags // "") | split(";") | map(select(. != ""))) as $tags
	| if $tag != "" and ($tags | index($tag)) == null then .["no tag \($tag)"] = "" else . end
	| ($tags - [$tag] | join(";")) as $others
	| if $others == "" then del(.tags) else .tags = $others end;

# A volume must belong to the guest whose disk it is.
def volumes_of($vmid):
	[to_entries[] | select(.key | test("\\.volume$"))
		| select(.value | test("(^|[/-])vm-\($vmid)-") | not)
		| "\(.key): \(.value) is not a volume of \($vmid)"];

# {"cores": "4", "-ide2": null}: what must differ from the template, and how.
def changes:
	map(if startswith("-") then {key: .[1:], value: null}
		else index("=") as $i | {key: .[:$i], value: .[$i + 1:]} end);

# Lines that say where $vm is not $template with exactly the changes; none = as it should be.
# With $strict nothing but the digest may differ unlisted: the guest itself at an earlier time.
def compare($template; $vm; $wanted; $id; $name; $vmid; $tag; $strict):
	($wanted | changes) as $changes
	| def exempt: if $strict then . == "digest" else of_pve end;
	($template | leaves | if (.description // "") == "" then del(.description) else . end
		| (if .description then .description |= sub("\\s+$"; "") else . end)
		| if $strict then . else .name = $name end) as $t
	| reduce $changes[] as $c ($t;
		if $c.value == null
		then with_entries(select(.key == $c.key or (.key | startswith($c.key + ".")) | not))
		else .[$c.key] = $c.value end)
	| . as $expected
	| ($vm | leaves) as $leaves
	| ($leaves | without_marker($id; $name; $vmid; $tag)) as $found
	| ($changes | map(.key)) as $named
	| [($expected + $found) | keys[] | . as $k
		| select(($k | exempt | not) or ($named | index($k)) != null)
		| select($expected[$k] != $found[$k])
		| "\($k): expected \($expected[$k] // "absent"), found \($found[$k] // "absent")"]
	+ ($leaves | volumes_of($vmid))
	+ [$expected | keys[] | select(exempt and . != "digest" and . != "template")
		| select(startswith("unused") | not) | select($found[.] == null) | "\(.): absent"]
	| .[];
