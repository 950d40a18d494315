/* The fixed list of what differs between two runs of the same thing, and nothing else. */
#ifndef RAMET_CONF_NORMAL_H
#define RAMET_CONF_NORMAL_H

/* Members of objects whose values are times, process numbers or numbers made up by the server. */
static const char *const normal_members[] = {"starttime", "endtime", "pstart", "pid", "ctime",
    "time", "uptime", "snaptime", "uid", "ticket", "CSRFPreventionToken", "ssl_fingerprint",
    "value_of_token"};

/* Parts of texts, as extended regular expressions, and what stands for them. */
static const struct {
	const char *re, *as;
} normal_texts[] = {
    {"UPID:[a-zA-Z0-9-]+:[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:", "UPID:N:"},
    {"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", "MAC"},
    {"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "UUID"},
    {"[0-9a-f]{40}", "DIGEST"},
    {"ctime=[0-9]+", "ctime=N"},
    {"-disk-[0-9]+", "-disk-N"},
    {"\\.tmp\\.[0-9]+", ".tmp.N"},
};

#endif
