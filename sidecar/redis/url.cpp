#include "redis/url.hpp"

#include <string_view>

#include "config/values.hpp"
#include "http/query.hpp"

namespace radscheduler::sidecar::redis {
namespace {

Url refused(std::string rule) {
    Url url;
    url.problem = std::move(rule);
    return url;
}

} // namespace

Url read_url(const std::string& text) {
    constexpr std::string_view plain = "redis://";
    constexpr std::string_view secure = "rediss://";
    std::string_view rest(text);
    Url url;
    url.tls = rest.substr(0, secure.size()) == secure;
    if (!url.tls && rest.substr(0, plain.size()) != plain) {
        return refused("it must look like redis://user:password@host:6379/0, or begin with rediss:// for TLS");
    }
    rest.remove_prefix(url.tls ? secure.size() : plain.size());
    if (rest.find('?') != std::string_view::npos || rest.find('#') != std::string_view::npos) {
        return refused("it may have no part after ? or #, as in redis://host:6379/0");
    }

    const auto at = rest.rfind('@');
    if (at != std::string_view::npos) {
        const auto credentials = rest.substr(0, at);
        const auto colon = credentials.find(':');
        // "redis://secret@host" is read by some clients as a user, by others as a password; neither is a guess to make.
        if (colon == std::string_view::npos) {
            return refused("a password is written after a colon, as in redis://:password@host:6379/0");
        }
        const auto user = http::percent_decode(credentials.substr(0, colon), false);
        const auto password = http::percent_decode(credentials.substr(colon + 1), false);
        if (!user || !password) {
            return refused("special characters in user and password are written as %XX");
        }
        url.user = *user;
        url.password = *password;
        rest.remove_prefix(at + 1);
    }

    const auto slash = rest.find('/');
    if (slash != std::string_view::npos && slash + 1 < rest.size()) {
        const auto number = read_number(rest.substr(slash + 1));
        if (!number || *number > 1'000'000) {
            return refused("the part after the slash is the number of the database, as in redis://host:6379/0");
        }
        url.database = static_cast<std::uint32_t>(*number);
    }
    auto authority = rest.substr(0, slash);
    std::string_view port;
    if (!authority.empty() && authority.front() == '[') { // IPv6
        const auto close = authority.find(']');
        if (close == std::string_view::npos) {
            return refused("an IPv6 address stands in brackets, as in redis://[::1]:6379/0");
        }
        port = authority.substr(close + 1);
        url.host = authority.substr(1, close - 1);
    } else {
        const auto colon = authority.find(':');
        port = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
        url.host = authority.substr(0, colon);
    }
    if (url.host.empty()) {
        return refused("it must name a host, as in redis://host:6379/0");
    }
    if (!port.empty()) {
        const auto number = read_number(port.substr(1));
        if (port.front() != ':' || !number || *number < 1 || *number > 65535) {
            return refused("its port must be a number from 1 to 65535");
        }
        url.port = static_cast<std::uint16_t>(*number);
    }
    return url;
}

} // namespace radscheduler::sidecar::redis
