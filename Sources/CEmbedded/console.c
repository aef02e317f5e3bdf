#include "embedded_console.h"

// Part of C23, which no released compiler has as its default.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char api_js[] = {
#embed "console/api.js"
};
static const unsigned char app_js[] = {
#embed "console/app.js"
};
static const unsigned char chart_js[] = {
#embed "console/chart.js"
};
static const unsigned char clients_json[] = {
#embed "console/clients.json"
};
static const unsigned char config_js[] = {
#embed "console/config.js"
};
static const unsigned char connect_js[] = {
#embed "console/connect.js"
};
static const unsigned char destinations_js[] = {
#embed "console/destinations.js"
};
static const unsigned char dom_js[] = {
#embed "console/dom.js"
};
static const unsigned char events_js[] = {
#embed "console/events.js"
};
static const unsigned char flow_js[] = {
#embed "console/flow.js"
};
static const unsigned char format_js[] = {
#embed "console/format.js"
};
static const unsigned char icon_svg[] = {
#embed "console/icon.svg"
};
static const unsigned char index_html[] = {
#embed "console/index.html"
};
static const unsigned char letters_js[] = {
#embed "console/letters.js"
};
static const unsigned char model_js[] = {
#embed "console/model.js"
};
static const unsigned char services_js[] = {
#embed "console/services.js"
};
static const unsigned char snippets_js[] = {
#embed "console/snippets.js"
};
static const unsigned char style_css[] = {
#embed "console/style.css"
};
static const unsigned char topology_js[] = {
#embed "console/topology.js"
};
static const unsigned char traces_js[] = {
#embed "console/traces.js"
};
static const unsigned char waterfall_js[] = {
#embed "console/waterfall.js"
};

static const struct {
    const char *name;
    const unsigned char *bytes;
    long count;
} files[] = {
    {"api.js", api_js, sizeof api_js},
    {"app.js", app_js, sizeof app_js},
    {"chart.js", chart_js, sizeof chart_js},
    {"clients.json", clients_json, sizeof clients_json},
    {"config.js", config_js, sizeof config_js},
    {"connect.js", connect_js, sizeof connect_js},
    {"destinations.js", destinations_js, sizeof destinations_js},
    {"dom.js", dom_js, sizeof dom_js},
    {"events.js", events_js, sizeof events_js},
    {"flow.js", flow_js, sizeof flow_js},
    {"format.js", format_js, sizeof format_js},
    {"icon.svg", icon_svg, sizeof icon_svg},
    {"index.html", index_html, sizeof index_html},
    {"letters.js", letters_js, sizeof letters_js},
    {"model.js", model_js, sizeof model_js},
    {"services.js", services_js, sizeof services_js},
    {"snippets.js", snippets_js, sizeof snippets_js},
    {"style.css", style_css, sizeof style_css},
    {"topology.js", topology_js, sizeof topology_js},
    {"traces.js", traces_js, sizeof traces_js},
    {"waterfall.js", waterfall_js, sizeof waterfall_js},
};

long millrace_console_file_count(void) { return sizeof files / sizeof files[0]; }
const char *millrace_console_file_name(long index) { return files[index].name; }
const unsigned char *millrace_console_file_bytes(long index) { return files[index].bytes; }
long millrace_console_file_size(long index) { return files[index].count; }
