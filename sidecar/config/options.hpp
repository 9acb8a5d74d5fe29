// The table of all variables: name, flag, meaning, rule, and how a value is read and shown.
// Everything else about configuration (environment, flags, --help, --print-config) walks this one table.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"

namespace radscheduler::sidecar {

struct Option {
    std::string variable; // DATABASE_URL
    std::string flag;     // --database-url
    std::string meaning;  // one line for --help
    bool secret = false;  // the value is never shown

    // Stores the value, or returns what a good value would be ("a port from 1 to 65535").
    std::function<std::optional<std::string>(Settings&, const std::string&)> read;
    // The value in force, for --print-config; secrets are reduced by the table itself.
    std::function<std::string(const Settings&)> show;
};

const std::vector<Option>& options();

// A URL with its password and its query values masked; text that is no URL becomes "(set)".
std::string redact_url(std::string_view url);

} // namespace radscheduler::sidecar
