// Fragments, one per line of the input: what joins is a message, holds no DSC or ADD of the continuation any more, and
// joined again by itself is the same.
#include "check.hpp"
#include "radscheduler/continuation.hpp"
#include "radscheduler/message.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace radscheduler;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input(reinterpret_cast<const char*>(data), size);
    std::vector<std::string> fragments;
    while (!input.empty() && fragments.size() < 5) {
        const std::size_t end = input.find('\n');
        Result<std::string> canonical = normalize(input.substr(0, end));
        if (!canonical) return 0;
        fragments.push_back(*std::move(canonical));
        input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
    }
    const std::vector<std::string_view> views(fragments.begin(), fragments.end());
    const Result<std::string> joined = join_continuation(views);
    if (!joined) {
        FUZZ_CHECK(joined.error().code != ErrorCode::bad_fragment || joined.error().offset <= fragments.size());
        FUZZ_CHECK(!joined.error().text.empty());
        return 0;
    }
    FUZZ_CHECK(Message::open(*joined).ok());
    FUZZ_CHECK(!continues(*joined));
    std::size_t sent = 0;
    for (const std::string& fragment : fragments)
        sent += fragment.size();
    FUZZ_CHECK(joined->size() <= sent);
    const std::vector<std::string_view> one{*joined};
    const Result<std::string> again = join_continuation(one);
    FUZZ_CHECK(again.ok());
    FUZZ_CHECK(*again == *joined);
    return 0;
}
