// Every rendered object against the schema of its kind, and no field that the schema does not know.
const fs = require("fs");
const path = require("path");

const [work, file] = process.argv.slice(2);
const models = path.join(work, "node_modules", "kubernetes-models");
// Kinds of the Prometheus operator are not Kubernetes' own; the rules in them are tested by promtool.
const others = new Set(["ServiceMonitor", "PrometheusRule"]);

let failed = 0, checked = 0;
for (const object of JSON.parse(fs.readFileSync(file, "utf8"))) {
	if (others.has(object.kind))
		continue;
	const group = object.apiVersion === "v1" ? "v1" : object.apiVersion;
	try {
		const kind = require(path.join(models, group, object.kind))[object.kind];
		new kind(object).validate();
		checked++;
	} catch (e) {
		console.error(`${object.kind} ${object.metadata.name}: ${e.message}`);
		failed++;
	}
}
console.log(`schemas: ${checked} objects`);
process.exit(failed || checked < 20 ? 1 : 0);
