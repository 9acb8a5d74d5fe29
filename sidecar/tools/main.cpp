// radsched-send: plays a sender. Exit codes: 0 every answer was as expected, 1 one was not or none came, 2 bad command
// line.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "app/version.hpp"
#include "mllp/client.hpp"
#include "tools/load.hpp"
#include "tools/load_report.hpp"
#include "tools/message_file.hpp"
#include "tools/message_maker.hpp"

namespace {

using namespace radscheduler::sidecar;
using namespace radscheduler::sidecar::tools;

struct Item {
    std::string label;
    std::string message;
};

struct Common {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8661;
    double timeout = 10;
    mllp::ClientTls tls;
    std::vector<std::string> expected;
    bool json = false;
    bool quiet = false;
};

// Nothing after telling what is wrong with the certificates.
std::optional<mllp::Destination> destination_of(const Common& common) {
    mllp::Destination to;
    to.host = common.host;
    to.port = common.port;
    to.timeout = Milliseconds(static_cast<std::int64_t>(common.timeout * 1000));
    to.connect_timeout = to.timeout;
    to.server_name = common.tls.server_name;
    if (common.tls.enabled) {
        auto made = mllp::make_client_tls(common.tls);
        if (const auto* problem = std::get_if<std::string>(&made)) {
            std::fprintf(stderr, "error: %s. Check --ca, --cert and --key.\n", problem->c_str());
            return std::nullopt;
        }
        to.tls = std::get<std::shared_ptr<asio::ssl::context>>(std::move(made));
    }
    return to;
}

bool is_expected(const Common& common, const std::string& code) {
    if (common.expected.empty()) {
        return code == "AA" || code == "CA";
    }
    return std::find(common.expected.begin(), common.expected.end(), code) != common.expected.end();
}

void report(const Common& common, const Item& item, const mllp::Answer& answer, double milliseconds) {
    const auto code = ack_code(answer.ack);
    if (common.json) {
        const nlohmann::ordered_json line{{"message", item.label},
                                          {"bytes", item.message.size()},
                                          {"code", code},
                                          {"control_id", ack_control_id(answer.ack)},
                                          {"ms", milliseconds},
                                          {"ack", answer.ack},
                                          {"problem", answer.problem}};
        std::puts(line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
        return;
    }
    if (answer.ack.empty()) {
        std::printf("%s: NO ANSWER (%s)\n", item.label.c_str(), answer.problem.c_str());
        return;
    }
    std::printf("%s: %s (%zu bytes, %.1f ms)\n", item.label.c_str(), code.empty() ? "no MSA" : code.c_str(),
                item.message.size(), milliseconds);
    if (!common.quiet) {
        std::fputs(readable(answer.ack).c_str(), stdout);
    }
}

Task<void> send_all(const Common& common, const mllp::Destination& to, const std::vector<Item>& items,
                    std::uint64_t& unexpected, asio::any_io_executor executor) {
    mllp::Client client(executor, to);
    for (const auto& item : items) {
        const auto begun = Clock::now();
        const auto answer = co_await client.exchange(item.message);
        report(common, item, answer, std::chrono::duration<double, std::milli>(Clock::now() - begun).count());
        if (!is_expected(common, ack_code(answer.ack))) {
            ++unexpected;
        }
    }
}

int send(const Common& common, const std::vector<Item>& items) {
    const auto to = destination_of(common);
    if (!to) {
        return 1;
    }
    asio::io_context io(1);
    std::uint64_t unexpected = 0;
    asio::co_spawn(io, send_all(common, *to, items, unexpected, io.get_executor()), asio::detached);
    io.run();
    if (items.size() > 1 && !common.json) {
        std::printf("%zu sent, %zu as expected, %zu not\n", items.size(), items.size() - unexpected,
                    static_cast<std::size_t>(unexpected));
    }
    return unexpected == 0 ? 0 : 1;
}

// The messages of a file; nothing after telling why it cannot be read.
std::optional<std::vector<Item>> read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file) {
        std::fprintf(stderr, "error: %s cannot be read. Check the name and its permissions.\n", path.c_str());
        return std::nullopt;
    }
    auto messages = split_messages(content);
    if (messages.empty()) {
        std::fprintf(stderr, "%s holds no message and is skipped.\n", path.c_str());
    }
    std::vector<Item> items;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const auto label = messages.size() == 1 ? path.string() : fmt::format("{}[{}]", path.string(), i + 1);
        items.push_back({label, std::move(messages[i])});
    }
    return items;
}

int send_files(const Common& common, const std::vector<std::filesystem::path>& paths) {
    std::vector<Item> items;
    for (const auto& path : paths) {
        auto more = read_file(path);
        if (!more) {
            return 1;
        }
        std::move(more->begin(), more->end(), std::back_inserter(items));
    }
    if (items.empty()) {
        std::fputs("error: there is no message to send.\n", stderr);
        return 1;
    }
    return send(common, items);
}

int send_folder(const Common& common, const std::string& folder) {
    std::error_code ec;
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ec)) {
        if (entry.is_regular_file(ec) && entry.path().filename().string().front() != '.') {
            paths.push_back(entry.path());
        }
    }
    if (ec || paths.empty()) {
        std::fprintf(stderr, "error: the folder %s cannot be read or has no files.\n", folder.c_str());
        return 1;
    }
    std::sort(paths.begin(), paths.end());
    return send_files(common, paths);
}

int send_load(const Common& common, LoadOptions options) {
    auto to = destination_of(common);
    if (!to) {
        return 1;
    }
    options.to = std::move(*to);
    options.progress = options.progress || (::isatty(STDERR_FILENO) == 1 && !common.quiet);
    const auto result = run_load(options);
    std::fputs((common.json ? to_json(options, result) : to_text(options, result)).c_str(), stdout);
    return result.sent > 0 && result.positive == result.sent ? 0 : 1;
}

int run(int argc, char** argv) {
    CLI::App app{"Sends HL7 messages over MLLP and reports every acknowledgement."};
    app.name("radsched-send");
    app.set_version_flag("--version", std::string("radsched-send ") + version_text());
    app.require_subcommand(1);
    app.fallthrough(); // common options may stand before or after the command
    Common common;
    app.add_option("--host", common.host, "where to send")->capture_default_str();
    app.add_option("--port", common.port, "MLLP port")->capture_default_str()->check(CLI::Range(1, 65535));
    app.add_option("--timeout", common.timeout, "seconds to wait for each answer")
        ->capture_default_str()
        ->check(CLI::Range(0.1, 3600.0));
    app.add_option("--expect", common.expected, "acknowledgement codes that count as success (default AA and CA)")
        ->delimiter(',');
    auto* tls = app.add_flag("--tls", common.tls.enabled, "speak TLS (1.2 or newer)");
    app.add_option("--ca", common.tls.ca, "file with the certificates to believe (default: the system's)")->needs(tls);
    auto* certificate = app.add_option("--cert", common.tls.certificate, "file with a client certificate")->needs(tls);
    app.add_option("--key", common.tls.key, "file with its key (default: the certificate's file)")->needs(certificate);
    app.add_option("--server-name", common.tls.server_name, "whom the certificate must name (default: the host)")
        ->needs(tls);
    app.add_flag("!--no-verify", common.tls.verify, "believe any certificate; for trials only")->needs(tls);
    app.add_flag("--json", common.json, "one JSON object per line instead of text");
    app.add_flag("--quiet", common.quiet, "one line per message, without the acknowledgement itself");

    auto* sample = app.add_subcommand("sample", "send the guide's sample message");
    auto* file = app.add_subcommand("file", "send the messages of files (LF and CRLF become CR)");
    std::vector<std::filesystem::path> paths;
    file->add_option("paths", paths, "files with one message, many, or MLLP frames")->required();
    auto* folder = app.add_subcommand("folder", "send the messages of all files of a folder, by name");
    std::string directory;
    folder->add_option("directory", directory, "the folder")->required();
    auto* load = app.add_subcommand("load", "send invented messages and measure");
    LoadOptions options;
    load->add_option("--connections", options.connections, "connections at the same time")
        ->capture_default_str()
        ->check(CLI::Range(1, 5000));
    auto* messages = load->add_option("--messages", options.messages, "messages over all connections")
                         ->capture_default_str()
                         ->check(CLI::Range(1, 1'000'000'000));
    load->add_option("--seconds", options.seconds, "send for so long, instead of a number of messages")
        ->check(CLI::PositiveNumber)
        ->excludes(messages)
        ->each([&options](const std::string&) { options.messages = 0; });
    load->add_option("--rate", options.rate, "messages per second over all connections (0: as fast as answers come)")
        ->check(CLI::NonNegativeNumber);
    load->add_option("--warm-up", options.warm_up, "send so many messages first, without measuring them");
    load->add_option("--burst", options.burst, "messages a connection sends before it waits for their answers")
        ->capture_default_str()
        ->check(CLI::Range(1, 1'000'000));
    load->add_flag("--colliding", options.colliding, "appointments that want the same scanners at the same times");
    load->add_option_function<std::string>(
            "--mix", [&options](const std::string& text) { options.mix = std::get<LoadMix>(parse_mix(text)); },
            "shares of events: S12, S13, S14, S15, S26, repeat, as in S12=70,S13=20,repeat=10 (default: S12 alone)")
        ->check([](const std::string& text) {
            auto mix = parse_mix(text);
            auto* problem = std::get_if<std::string>(&mix);
            return problem == nullptr ? std::string() : std::move(*problem);
        });
    load->add_option("--seed", options.seed, "the same seed draws the same events")->capture_default_str();
    load->add_flag("--progress", options.progress, "tell how far it is, also when standard error is no terminal");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (sample->parsed()) {
        return send(common, {{"guide sample", std::string(guide_sample())}});
    }
    if (file->parsed()) {
        return send_files(common, paths);
    }
    if (folder->parsed()) {
        return send_folder(common, directory);
    }
    return send_load(common, options);
}

} // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    try {
        return run(argc, argv);
    } catch (const std::exception& exception) {
        std::fprintf(stderr, "error: radsched-send broke: %s. This is a defect; please report it.\n", exception.what());
        return 1;
    }
}
