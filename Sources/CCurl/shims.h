#pragma once
#include <curl/curl.h>

// Swift cannot call variadic C functions; each wrapper fixes one argument type.
static inline CURLcode millrace_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode millrace_curl_set_pointer(CURL *handle, CURLoption option, const void *value) {
    return curl_easy_setopt(handle, option, value);
}
