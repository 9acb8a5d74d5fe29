// One conversion descriptor per call: opening costs a microsecond, and a descriptor kept between calls would keep the
// shift state of bytes that were refused.
#include "iconv_charset.hpp"

#include <array>
#include <cerrno>
#include <iconv.h>

namespace radscheduler::pg {

namespace {

// NOLINTNEXTLINE(performance-no-int-to-ptr): so POSIX defines it
const auto kNoDescriptor = reinterpret_cast<iconv_t>(-1);
constexpr auto kFailed = static_cast<std::size_t>(-1);

class Descriptor {
public:
    Descriptor(const std::string& to, const std::string& from) : handle_(iconv_open(to.c_str(), from.c_str())) {}
    ~Descriptor() {
        if (is_open()) iconv_close(handle_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    bool is_open() const { return handle_ != kNoDescriptor; }

    // Converts all of the input, then (with input == nullptr) what the shift state still holds. False for bytes that
    // are not of the encoding, or that end in the middle of a character.
    bool convert(char* input, std::size_t left, std::string& out) {
        std::array<char, 4096> buffer;
        while (true) {
            char* target = buffer.data();
            std::size_t room = buffer.size();
            const std::size_t done = iconv(handle_, input != nullptr ? &input : nullptr, &left, &target, &room);
            out.append(buffer.data(), buffer.size() - room);
            if (done != kFailed) return true;
            if (errno != E2BIG) return false;
        }
    }

private:
    iconv_t handle_;
};

// False, with `out` as it was, when an encoding is unknown or the bytes are not of it.
bool convert_all(const std::string& to, const std::string& from, std::string_view bytes, std::string& out) {
    Descriptor descriptor(to, from);
    if (!descriptor.is_open()) return false;
    const std::size_t before = out.size();
    // iconv() does not write to its input; its signature is older than const.
    if (descriptor.convert(const_cast<char*>(bytes.data()), bytes.size(), out) && descriptor.convert(nullptr, 0, out)) {
        return true;
    }
    out.resize(before);
    return false;
}

bool convert(void*, std::string_view encoding, std::string_view bytes, std::string& out) {
    return iconv_to_utf8(encoding, bytes, out);
}

} // namespace

bool iconv_to_utf8(std::string_view encoding, std::string_view bytes, std::string& out) {
    return convert_all("UTF-8", std::string(encoding), bytes, out);
}

std::optional<std::string> iconv_from_utf8(std::string_view encoding, std::string_view text) {
    std::string out;
    if (!convert_all(std::string(encoding), "UTF-8", text, out)) return std::nullopt;
    return out;
}

CharsetConverter iconv_converter() {
    return {convert, nullptr};
}

} // namespace radscheduler::pg
