#include "config/load.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "app/version.hpp"
#include "auth/policy.hpp"
#include "config/options.hpp"

namespace radscheduler::sidecar {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

constexpr std::string_view file_suffix = "_FILE";

// NAME_FILE of a secret NAME: a file that holds the value, as container platforms give secrets.
bool is_file_of_secret(const std::string& name) {
    return std::any_of(options().begin(), options().end(), [&name](const Option& option) {
        return option.secret && name == option.variable + std::string(file_suffix);
    });
}

// The file's content without the line end that editors add; nothing when it cannot be read.
std::optional<std::string> read_secret(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (!file && !file.eof()) {
        return std::nullopt;
    }
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
        text.pop_back();
    }
    return text.empty() ? std::nullopt : std::optional(text);
}

// A variable with our prefix that we do not know is most likely a typing mistake.
void warn_about_unknown(const Environment& environment, std::vector<std::string>& warnings) {
    for (const auto& entry : environment) {
        const auto& name = entry.first;
        const bool ours = name.rfind("RADSCHED_", 0) == 0;
        const auto known = [&name](const Option& option) { return option.variable == name; };
        if (!ours || is_file_of_secret(name) || std::any_of(options().begin(), options().end(), known)) {
            continue;
        }
        const auto nearest = std::min_element(options().begin(), options().end(), [&](const auto& a, const auto& b) {
            return edit_distance(a.variable, name) < edit_distance(b.variable, name);
        });
        std::string sentence = name + " is not a variable of radschedulerd and is ignored";
        if (edit_distance(nearest->variable, name) <= 3) {
            sentence += "; did you mean " + nearest->variable + "?";
        } else {
            sentence += "; --help lists all variables.";
        }
        warnings.push_back(std::move(sentence));
    }
}

void apply(const Option& option, const std::string& value, const std::string& source, Loaded& loaded) {
    const auto rule = option.read(loaded.settings, value);
    if (!rule) {
        return;
    }
    const auto shown = option.secret ? "its value" : "'" + value + "'";
    loaded.problems.push_back(source + ": " + shown + " cannot be used: " + *rule + ". Correct " + option.variable +
                              " in the environment (or the flag " + option.flag + ") and start again.");
}

// The listener of the variables, then those of the file.
void gather_listeners(Loaded& loaded) {
    auto& settings = loaded.settings;
    mllp::Listener first;
    first.host = settings.mllp_host;
    first.port = settings.mllp_port;
    first.site = settings.mllp_site;
    first.profile = settings.mllp_profile;
    first.networks = settings.mllp_networks;
    first.tls = {settings.mllp_tls_certificate, settings.mllp_tls_key, settings.mllp_tls_client_ca};
    settings.mllp_listeners = {first};
    if (first.tls.certificate.empty() != first.tls.key.empty() ||
        (first.tls.certificate.empty() && !first.tls.client_ca.empty())) {
        loaded.problems.push_back("RADSCHED_MLLP_TLS_CERT and RADSCHED_MLLP_TLS_KEY belong together, and "
                                  "RADSCHED_MLLP_TLS_CLIENT_CA needs both. Set what is missing.");
    }
    if (settings.mllp_listeners_file.empty()) {
        return;
    }
    std::ifstream file(settings.mllp_listeners_file);
    std::ostringstream text;
    text << file.rdbuf();
    auto read = mllp::read_listeners(text.str());
    const std::string problem = file ? read.problem : "it cannot be read";
    if (!problem.empty()) {
        loaded.problems.push_back("RADSCHED_MLLP_LISTENERS: " + settings.mllp_listeners_file + ": " + problem +
                                  ". Correct the file and start again.");
        return;
    }
    for (auto& listener : read.list) {
        if (listener.name == first.name) {
            loaded.problems.push_back("RADSCHED_MLLP_LISTENERS: the name \"main\" is taken by the listener of the "
                                      "variables. Give yours another name.");
        }
        settings.mllp_listeners.push_back(std::move(listener));
    }
}

void check_together(Loaded& loaded) {
    gather_listeners(loaded);
    const auto& settings = loaded.settings;
    if (settings.database_url.empty()) {
        loaded.problems.push_back(
            "DATABASE_URL is not set: it must say where PostgreSQL is. Set it in the environment (or the flag "
            "--database-url), for example DATABASE_URL=postgresql://user:password@localhost:5432/radscheduler.");
    }
    if (settings.mllp_port == settings.http_port) {
        loaded.problems.push_back("RADSCHED_MLLP_PORT and RADSCHED_HTTP_PORT are both " +
                                  std::to_string(settings.mllp_port) +
                                  ": MLLP and HTTP need a port each. Give one of them another port.");
    }
    if (settings.http_tls_certificate.empty() != settings.http_tls_key.empty()) {
        loaded.problems.push_back("RADSCHED_HTTP_TLS_CERT and RADSCHED_HTTP_TLS_KEY belong together. Set what is "
                                  "missing.");
    }
    auto judgement = auth::judge(settings);
    std::move(judgement.problems.begin(), judgement.problems.end(), std::back_inserter(loaded.problems));
    std::move(judgement.warnings.begin(), judgement.warnings.end(), std::back_inserter(loaded.warnings));
}

} // namespace

Environment process_environment() {
    Environment environment;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view line(*entry);
        const auto equals = line.find('=');
        if (equals != std::string_view::npos) {
            environment.emplace(line.substr(0, equals), line.substr(equals + 1));
        }
    }
    return environment;
}

Loaded load(const Environment& environment, const std::vector<std::string>& arguments) {
    Loaded loaded;
    CLI::App app{"The daemon of RadScheduler: HL7 over MLLP, HTTP, and events to Redis, in front of PostgreSQL."};
    app.name("radschedulerd");
    app.footer("Every flag can be given as the environment variable in brackets; a flag wins.");
    bool check = false;
    bool print = false;
    bool version = false;
    app.add_flag("--check-config", check, "report every problem of the configuration and end (exit code 2 if any)");
    app.add_flag("--print-config", print, "print the configuration in force, secrets masked, and end");
    app.add_flag("--version", version, "print the version and end");
    std::map<std::string, std::string> flags;
    for (const auto& option : options()) {
        app.add_option(option.flag, flags[option.variable], option.meaning + " [" + option.variable + "]");
    }
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend()); // the order CLI11 wants
        app.parse(reversed);
    } catch (const CLI::CallForHelp&) {
        loaded.wish = Wish::show_text;
        loaded.text = app.help();
        return loaded;
    } catch (const CLI::ParseError& error) {
        loaded.problems.push_back(std::string("command line: ") + error.what() + ". --help lists all flags.");
        return loaded;
    }
    if (version) {
        loaded.wish = Wish::show_text;
        loaded.text = std::string("radschedulerd ") + version_text() + "\n";
        return loaded;
    }
    loaded.wish = check ? Wish::check_config : print ? Wish::print_config : Wish::run;
    for (const auto& option : options()) {
        const auto variable = environment.find(option.variable);
        const auto file =
            option.secret ? environment.find(option.variable + std::string(file_suffix)) : environment.end();
        const bool has_file = file != environment.end() && !file->second.empty();
        if (has_file && variable != environment.end() && !variable->second.empty()) {
            loaded.problems.push_back(option.variable + " and " + file->first +
                                      " are both set. Set the one that is meant, and start again.");
        }
        if (app.count(option.flag) > 0) {
            apply(option, flags[option.variable], option.flag, loaded);
        } else if (variable != environment.end() && !variable->second.empty()) { // compose files set empty values
            apply(option, variable->second, option.variable, loaded);
        } else if (has_file) {
            if (const auto value = read_secret(file->second)) {
                apply(option, *value, file->first, loaded);
            } else {
                loaded.problems.push_back(file->first + ": the file cannot be read or is empty. Correct the path, or "
                                                        "the rights of the file.");
            }
        }
    }
    check_together(loaded);
    warn_about_unknown(environment, loaded.warnings);
    return loaded;
}

std::string print_config(const Settings& settings) {
    std::string text;
    for (const auto& option : options()) {
        auto value = option.show(settings);
        const bool is_url = option.variable.find("_URL") != std::string::npos;
        if (option.secret && !is_url && !value.empty()) {
            value = "***";
        }
        text += option.variable + "=" + value + "\n";
    }
    return text;
}

std::vector<Part> optional_parts(const Settings& settings) {
    std::vector<Part> parts;
    if (settings.redis_url) {
        parts.push_back({"redis", true, "Redis is on: events are published to " + redact_url(*settings.redis_url)});
    } else {
        parts.push_back({"redis", false, "Redis is off: REDIS_URL is not set, so no events are published"});
    }
    const int twilio = static_cast<int>(settings.twilio_account_sid.has_value()) +
                       static_cast<int>(settings.twilio_auth_token.has_value()) +
                       static_cast<int>(settings.twilio_phone_number.has_value());
    if (twilio == 0) {
        parts.push_back(
            {"twilio", false, "SMS is off: TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER are not set"});
    } else if (twilio < 3) {
        parts.push_back(
            {"twilio", false,
             "SMS is off: of TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER only some are set"});
    } else {
        parts.push_back({"twilio", false, "SMS is off: the TWILIO_ variables are set, but this version sends no SMS"});
    }
    parts.push_back({"anthropic", false,
                     settings.anthropic_api_key
                         ? "AI is off: ANTHROPIC_API_KEY is set, but this version has no AI functions"
                         : "AI is off: ANTHROPIC_API_KEY is not set"});
    return parts;
}

} // namespace radscheduler::sidecar
