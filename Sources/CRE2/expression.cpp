#include "expression.h"

#include <re2/re2.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <string>

// What RE2 calls its views of text differs between its versions, so none is named here.

struct millrace_expression {
    RE2 compiled;

    millrace_expression(const std::string &pattern, const RE2::Options &options) : compiled(pattern, options) {}
};

millrace_expression *millrace_expression_new(const char *pattern, size_t count, int64_t memory, char *reason,
                                             size_t room) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(memory);
    options.set_dot_nl(true);
    options.set_never_capture(true);
    auto *expression = new millrace_expression(std::string(pattern, count), options);
    if (expression->compiled.ok()) return expression;
    const std::string &error = expression->compiled.error();
    if (room > 0) {
        const size_t length = std::min(error.size(), room - 1);
        std::memcpy(reason, error.data(), length);
        reason[length] = 0;
    }
    delete expression;
    return nullptr;
}

void millrace_expression_free(millrace_expression *expression) { delete expression; }

int millrace_expression_size(const millrace_expression *expression) {
    const int forwards = expression->compiled.ProgramSize();
    const int backwards = expression->compiled.ReverseProgramSize();
    return forwards < 0 || backwards < 0 ? -1 : std::max(forwards, backwards);
}

int millrace_expression_finds(const millrace_expression *expression, const void *bytes, size_t count) {
    // Without groups to report, RE2 stops at the first end of a match.
    const char *text = count > 0 ? static_cast<const char *>(bytes) : "";
    return expression->compiled.Match({text, count}, 0, count, RE2::UNANCHORED, nullptr, 0);
}

namespace {

template <class Text, class View>
int first_match(bool (RE2::*match)(Text, size_t, size_t, RE2::Anchor, View *, int) const, const RE2 &expression,
                const char *text, size_t count, size_t start, size_t *first, size_t *last) {
    View found;
    if (!(expression.*match)({text, count}, start, count, RE2::UNANCHORED, &found, 1)) return 0;
    *first = static_cast<size_t>(found.data() - text);
    *last = *first + found.size();
    return 1;
}

int64_t thread_time() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

}  // namespace

int millrace_expression_first(const millrace_expression *expression, const void *bytes, size_t count, size_t start,
                              size_t *first, size_t *last, int64_t *nanoseconds) {
    const char *text = count > 0 ? static_cast<const char *>(bytes) : "";
    const int64_t before = nanoseconds ? thread_time() : 0;
    const int found = first_match(&RE2::Match, expression->compiled, text, count, start, first, last);
    if (nanoseconds) *nanoseconds = thread_time() - before;
    return found;
}
