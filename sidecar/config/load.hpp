// Turns environment and command line into Settings: defaults < environment < flags.
// Invariant: all problems are collected and told at once, each a sentence that names variable, rule and remedy.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "config/settings.hpp"

namespace radscheduler::sidecar {

using Environment = std::map<std::string, std::string>;

enum class Wish { run, check_config, print_config, show_text };

struct Loaded {
    Settings settings;
    Wish wish = Wish::run;
    std::string text; // for show_text: --help, --version
    std::vector<std::string> problems;
    std::vector<std::string> warnings;
};

Environment process_environment();

Loaded load(const Environment& environment, const std::vector<std::string>& arguments);

// One NAME=value line per variable, secrets masked.
std::string print_config(const Settings& settings);

// One sentence per optional part that is off, or set up halfway.
struct Part {
    std::string name;
    bool on;
    std::string sentence;
};
std::vector<Part> optional_parts(const Settings& settings);

} // namespace radscheduler::sidecar
