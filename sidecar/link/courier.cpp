#include "link/courier.hpp"

#include <algorithm>
#include <array>

#include "mllp/trigger.hpp"
#include "net/watchdog.hpp"
#include "obs/log.hpp"

namespace radscheduler::sidecar::link {
namespace {

constexpr Milliseconds idle_limit = std::chrono::minutes(5); // a connection without a message is closed
constexpr Milliseconds time_to_end{3000};                    // for an answer, when the daemon ends
constexpr Milliseconds busy_wait{200};
constexpr std::size_t longest_note = 500;

// What is wrong with the files of a link, else nothing.
std::string prepare(const Route& route, const std::string& folder, mllp::Destination& to) {
    to.host = route.host;
    to.port = route.port;
    to.timeout = route.answer_time;
    to.connect_timeout = route.connect_time;
    to.server_name = route.server_name;
    if (!route.tls) {
        return {};
    }
    mllp::ClientTls files;
    files.verify = route.verify;
    const std::array<std::pair<const std::string*, std::string*>, 3> places{
        std::pair{&route.ca, &files.ca}, {&route.certificate, &files.certificate}, {&route.key, &files.key}};
    for (const auto& [name, place] : places) {
        const auto path = file_in(folder, *name);
        if (!name->empty() && !path) {
            return "RADSCHED_LINK_TLS_DIR is not set, so the link's certificates cannot be found";
        }
        *place = path.value_or("");
    }
    auto made = mllp::make_client_tls(files);
    if (auto* problem = std::get_if<std::string>(&made)) {
        return std::move(*problem);
    }
    to.tls = std::move(std::get<std::shared_ptr<asio::ssl::context>>(made));
    return {};
}

} // namespace

// The connection of a link, kept between runs.
struct Courier::Line {
    explicit Line(const asio::any_io_executor& executor)
        : idle(executor, [this] {
              if (client) {
                  client->close();
              }
          }) {}

    Route route;
    std::unique_ptr<mllp::Client> client;
    Watchdog idle;
    bool busy = false;
    bool told = false; // that it cannot be reached
};

// A run under way.
struct Courier::Errand {
    Errand(std::shared_ptr<const work::Run> run, Line& line, const RunMachine& machine)
        : run(std::move(run)), line(line), machine(machine) {}

    const work::ClaimedTask& task() const { return run->tasks[machine.at()]; }

    std::shared_ptr<const work::Run> run;
    Line& line;
    RunMachine machine;
    // Of the task in hand
    int attempts = 0;
    Payload message;
    std::string control_id;
    std::string note;
    Clock::time_point sent;
    double answered_after = 0; // seconds
};

Courier::Courier(asio::any_io_executor executor, work::Desk& desk, std::string tls_folder, Counters& counters)
    : executor_(std::move(executor)), desk_(desk), tls_folder_(std::move(tls_folder)), counters_(counters),
      last_call_(executor_) {}

Courier::~Courier() = default;

void Courier::stop() {
    stopping_ = true;
    last_call_.expires_after(time_to_end);
    last_call_.async_wait([self = shared_from_this()](const error_code& ec) {
        for (const auto& entry : self->lines_) {
            if (!ec && entry.second->client) {
                entry.second->client->interrupt();
            }
        }
    });
}

void Courier::close() {
    last_call_.cancel();
    lines_.clear();
}

std::size_t Courier::connections() const {
    return static_cast<std::size_t>(std::count_if(lines_.begin(), lines_.end(), [](const auto& entry) {
        return entry.second->client && entry.second->client->usable();
    }));
}

Courier::Line& Courier::line_of(const work::Run& run) {
    auto& line = lines_[run.tasks.front().id.site + "/" + run.queue];
    if (!line) {
        line = std::make_unique<Line>(executor_);
    }
    return *line;
}

Task<void> Courier::deliver(std::shared_ptr<const work::Run> run) {
    const auto self = shared_from_this();
    auto& line = line_of(*run);
    asio::steady_timer timer(executor_);
    while (line.busy) { // a lease was lost while its message was under way, and came back to us
        error_code ec;
        timer.expires_after(busy_wait);
        co_await timer.async_wait(into(ec));
    }
    line.busy = true;
    line.idle.disarm();
    auto route = read_route(run->tasks.front().link);
    if (!route) {
        route = Route();
        log::error("link.unreadable", "a link cannot be read; the extension is not of this version",
                   {{"queue", run->queue}});
    }
    if (line.client && !(*route == line.route)) {
        line.client->close();
    }
    line.route = std::move(*route);
    Errand errand(run, line, RunMachine(run->tasks.size(), line.route.retries_refused));
    auto event = Event::start;
    while (true) {
        if (stopping_) {
            errand.machine.stop();
        }
        const auto step = errand.machine.resume(event, random_number());
        if (step.action == RunMachine::Action::finish) {
            break;
        }
        event = co_await perform(errand, step);
    }
    line.busy = false;
    if (!stopping_) {
        line.idle.arm(idle_limit);
    }
}

Task<Courier::Event> Courier::perform(Errand& errand, RunMachine::Step step) {
    asio::steady_timer timer(executor_);
    error_code ec;
    auto event = Event::paused;
    switch (step.action) {
    case RunMachine::Action::connect:
        event = co_await connect(errand);
        break;
    case RunMachine::Action::begin:
        event = co_await begin(errand);
        break;
    case RunMachine::Action::exchange:
        event = co_await exchange(errand);
        break;
    case RunMachine::Action::settle:
        event = co_await settle(errand, step);
        break;
    case RunMachine::Action::release:
        event = co_await release(errand);
        break;
    case RunMachine::Action::pause:
    case RunMachine::Action::finish:
        timer.expires_after(step.delay);
        co_await timer.async_wait(into(ec));
        break;
    }
    co_return event;
}

Task<Courier::Event> Courier::connect(Errand& errand) {
    auto& line = errand.line;
    const auto& route = line.route;
    errand.attempts = errand.task().attempts;
    errand.message = Payload();
    errand.note.clear();
    if (line.client && line.client->usable()) {
        co_return Event::connected;
    }
    mllp::Destination to;
    errand.note = prepare(route, tls_folder_, to);
    if (errand.note.empty()) {
        line.client = std::make_unique<mllp::Client>(executor_, std::move(to));
        errand.note = co_await line.client->open();
    }
    if (errand.note.empty()) {
        counters_.work.link_connects.add();
        log::info("link.connected", "connected to a link's receiver", {{"link", route.name}});
        line.told = false;
        co_return Event::connected;
    }
    counters_.work.link_connect_failures.add();
    if (!line.told && !stopping_) { // one line per outage, not one per try
        log::warn("link.unreachable", "a link's receiver cannot be reached; its messages wait and are tried again",
                  {{"link", route.name}, {"reason", errand.note}});
        line.told = true;
    }
    co_return Event::not_connected;
}

Task<Courier::Event> Courier::begin(Errand& errand) {
    const auto asked = Clock::now();
    const auto& id = errand.task().id;
    auto result = co_await desk_.begin(id);
    if (std::holds_alternative<db::DbError>(result)) {
        ++errand.attempts; // if it was begun, this is its try
        errand.note = "the database did not answer, so nothing was sent";
        co_return Event::begin_failed;
    }
    auto& begun = std::get<work::Begun>(result);
    if (!begun.attempts) {
        co_return Event::not_ours;
    }
    errand.attempts = *begun.attempts;
    if (!begun.message) {
        errand.note = "the message is no longer kept";
        co_return Event::begun_empty;
    }
    if (since(asked) > errand.run->lease / 2) {
        errand.note = "the database answered so late that the lease may have run out";
        co_return Event::begun_late;
    }
    errand.message = std::move(*begun.message);
    co_return Event::begun;
}

Task<Courier::Event> Courier::exchange(Errand& errand) {
    auto& client = *errand.line.client;
    errand.control_id = control_id_of(errand.message.view());
    errand.sent = Clock::now();
    auto problem = co_await client.post(errand.message.view());
    auto event = problem.empty() ? Event::begun : Event::unanswered;
    errand.note = std::move(problem);
    if (event == Event::begun && !asks_for_answer(errand.message.view())) {
        event = Event::accepted;
    }
    const auto posted = Clock::now();
    while (event == Event::begun) {
        const auto left = errand.line.route.answer_time - since(posted);
        auto answer = co_await client.receive_within(std::max(left, Milliseconds(1)));
        if (answer.ack.empty()) {
            errand.note = stopping_             ? "the daemon ended before an answer came"
                          : errand.note.empty() ? answer.problem
                                                : errand.note + "; " + answer.problem;
            event = Event::unanswered;
        } else {
            event = judged(errand, answer.ack);
        }
    }
    if (event == Event::unanswered) {
        client.close();
    }
    errand.answered_after = std::chrono::duration<double>(Clock::now() - errand.sent).count();
    co_return event;
}

// What an answer means; begun: go on waiting.
Courier::Event Courier::judged(Errand& errand, const std::string& ack) {
    auto verdict = judge(ack, errand.control_id, errand.line.route.accept_codes);
    errand.note = std::move(verdict.note);
    switch (verdict.kind) {
    case Verdict::Kind::accepted:
        return Event::accepted;
    case Verdict::Kind::refused:
        return Event::refused;
    case Verdict::Kind::of_another:
        return Event::begun;
    case Verdict::Kind::no_answer:
        break;
    }
    return Event::unanswered;
}

Task<Courier::Event> Courier::settle(Errand& errand, RunMachine::Step step) {
    const int tried = step.begun ? errand.attempts : errand.task().attempts;
    const auto& id = errand.task().id;
    const std::string word(outcome_word(step.outcome));
    const auto note = errand.note.substr(0, longest_note);
    auto result = co_await desk_.finish(id, tried, word, note);
    if (const auto* error = std::get_if<db::DbError>(&result)) {
        log::warn("link.settle_failed", "what became of a message could not be told to the database; trying on",
                  {{"link", errand.line.route.name},
                   {"task_id", errand.task().id.number},
                   {"sqlstate", error->sqlstate},
                   {"place", error->place}});
        co_return Event::settle_failed;
    }
    const bool counts = std::get<bool>(result);
    note_settled(errand, step.outcome, counts);
    co_return counts ? Event::settled : Event::settled_in_vain;
}

void Courier::note_settled(const Errand& errand, Outcome outcome, bool counts) {
    counters_.work.attempts[static_cast<std::size_t>(outcome)].add();
    if (was_sent(outcome_word(outcome))) {
        counters_.work.messages[static_cast<std::size_t>(outcome)].add(mllp::trigger_of(errand.message.view()));
    }
    if (outcome == Outcome::not_sent) {
        return; // nothing left; that the receiver is away was told once
    }
    if (outcome == Outcome::done || outcome == Outcome::refused || outcome == Outcome::deferred) {
        counters_.work.answer_seconds.add(errand.answered_after);
    }
    log::write(outcome == Outcome::done ? log::Level::info : log::Level::warn, "link.message",
               !counts                         ? "sent, but the lease was lost meanwhile; it may be sent again"
               : outcome == Outcome::done      ? "taken by the receiver"
               : outcome == Outcome::broken    ? "a message cannot be made any more; given up"
               : outcome == Outcome::no_answer ? "no answer; it is sent again with the same MSH-10"
                                               : "refused by the receiver",
               {{"link", errand.line.route.name},
                {"task_id", errand.task().id.number},
                {"outcome", outcome_word(outcome)},
                {"note", errand.note},
                {"attempts", errand.attempts},
                {"bytes", errand.message.size()},
                {"duration_ms", errand.answered_after * 1000}});
}

Task<Courier::Event> Courier::release(Errand& errand) {
    std::vector<std::string> numbers;
    for (std::size_t i = errand.machine.at(); i < errand.run->tasks.size(); ++i) {
        numbers.push_back(errand.run->tasks[i].id.number);
    }
    // When that fails, their leases run out.
    co_await desk_.release(std::move(numbers));
    co_return Event::released;
}

} // namespace radscheduler::sidecar::link
