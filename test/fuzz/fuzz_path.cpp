// Path texts: refused with a place inside the text, or printed in a form that is read back as the same path.
#include "check.hpp"
#include "radscheduler/path.hpp"

#include <cstddef>
#include <cstdint>

using namespace radscheduler;

namespace {

void check(const Result<Path>& path, const Result<Path>& again, std::string_view text) {
    if (!path) {
        FUZZ_CHECK(path.error().code == ErrorCode::bad_path);
        FUZZ_CHECK(path.error().offset <= text.size());
        FUZZ_CHECK(path.error().text.ends_with('.'));
        return;
    }
    FUZZ_CHECK(again);
    FUZZ_CHECK(again->to_string() == path->to_string());
    FUZZ_CHECK(again->segment == path->segment && again->occurrence == path->occurrence);
    FUZZ_CHECK(again->field == path->field && again->repetition == path->repetition);
    FUZZ_CHECK(again->component == path->component && again->subcomponent == path->subcomponent);
    FUZZ_CHECK(again->group_count == path->group_count && path->group_count <= Path::kMaxGroups);
    FUZZ_CHECK(again->selects_many() == path->selects_many());
    FUZZ_CHECK(path->component != 0 || path->subcomponent == 0);
    FUZZ_CHECK(path->field <= Path::kMaxIndex && path->occurrence <= Path::kMaxIndex);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Result<Path> path = Path::parse(text);
    const Result<Path> extent = Path::parse_extent(text);
    check(path, path ? Path::parse(path->to_string()) : path, text);
    check(extent, extent ? Path::parse_extent(extent->to_string()) : extent, text);
    FUZZ_CHECK(!path || (extent && extent->to_string() == path->to_string()));
    FUZZ_CHECK(!path || path->field != 0);
    return 0;
}
