#include "tools/load.hpp"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <memory>
#include <unistd.h>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <spdlog/fmt/fmt.h>

#include "mllp/frame_writer.hpp"
#include "net/signal.hpp"
#include "tools/load_report.hpp"
#include "tools/message_file.hpp"
#include "tools/message_maker.hpp"

namespace radscheduler::sidecar::tools {
namespace {

constexpr Milliseconds pause_after_failure{100};
constexpr std::size_t write_size = 32U << 10U;

struct Run {
    const LoadOptions& options;
    LoadResult result;
    LoadNumbers numbers;
    std::uint64_t handed_out = 0; // one by one, so that a slow connection does not hold the others up
    std::uint64_t working = 0;    // connections
    Clock::time_point started = Clock::now();
    Clock::time_point measuring_since = started;

    // The first message that counts has its turn.
    bool warm() const { return handed_out > options.warm_up; }
    double seconds() const {
        return warm() ? std::chrono::duration<double>(Clock::now() - measuring_since).count() : 0;
    }
    bool in_time() const { return options.seconds <= 0 || seconds() < options.seconds; }
    bool more() const { return (options.messages == 0 || handed_out < options.messages) && in_time(); }
    // The number of the next message.
    std::uint64_t hand_out() {
        if (handed_out == options.warm_up) {
            measuring_since = Clock::now();
        }
        return handed_out++;
    }
    void lose(std::uint64_t count, const std::string& problem) {
        result.lost += count;
        if (result.first_problem.empty()) {
            result.first_problem = problem;
        }
    }
};

std::int64_t stamp_now() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count() / 100;
}

// One connection: bursts of messages, one after the other. A burst of one is the lock-step of most senders.
class Sender {
public:
    Sender(Run& run, const asio::any_io_executor& executor, std::uint64_t number)
        : run_(run), executor_(executor), client_(executor, run.options.to), changed_(executor), pace_(executor),
          plan_(run.options.mix, run.options.seed * 1'000'003 + number) {}

    Task<void> work() {
        while (run_.more()) {
            if (const auto problem = co_await client_.open(); !problem.empty()) {
                run_.hand_out();
                take();
                run_.lose(1, problem);
                co_await pause();
                continue;
            }
            pending_.clear();
            failed_ = false;
            writing_ = true;
            if (run_.options.burst == 1) {
                co_await write_burst();
            } else {
                asio::co_spawn(executor_, write_burst(), asio::detached);
            }
            co_await read_answers();
            if (failed_) {
                co_await pause();
            }
        }
        --run_.working;
    }

private:
    struct Pending {
        std::string control_id;
        Clock::time_point due;
        bool measured;
    };

    LoadStep take() {
        ++run_.result.sent;
        auto step = plan_.next(run_.numbers, stamp_now());
        ++run_.result.events[step.repeated ? name_of(LoadEvent::repeat) : name_of(step.event)];
        return step;
    }

    Task<void> pause() {
        error_code ec;
        pace_.expires_after(pause_after_failure);
        co_await pace_.async_wait(into(ec));
    }

    // When message `index` of the run is due; waits for it when messages have a rate.
    Task<Clock::time_point> due_time(std::uint64_t index) {
        if (run_.options.rate <= 0) {
            co_return Clock::now();
        }
        error_code ec;
        const std::chrono::duration<double> offset(static_cast<double>(index) / run_.options.rate);
        const auto due = run_.started + std::chrono::duration_cast<Clock::duration>(offset);
        pace_.expires_at(due);
        co_await pace_.async_wait(into(ec));
        co_return due;
    }

    Task<void> write_out(std::string& chunk) {
        changed_.notify();
        if (!chunk.empty() && !failed_) {
            if (const auto problem = co_await client_.send(chunk); !problem.empty()) {
                fail(problem);
            }
        }
        chunk.clear();
    }

    Task<void> write_burst() {
        std::string chunk;
        for (std::uint64_t i = 0; i < run_.options.burst && run_.more() && !failed_; ++i) {
            const auto index = run_.hand_out();
            const auto due = co_await due_time(index);
            if (!run_.in_time()) {
                break;
            }
            const auto step = take();
            pending_.push_back({load_control_id(run_.result.run, step), due, index >= run_.options.warm_up});
            chunk += mllp::framed(load_message(run_.result.run, step, run_.options.colliding));
            if (chunk.size() >= write_size || run_.options.rate > 0) {
                co_await write_out(chunk);
            }
        }
        co_await write_out(chunk);
        writing_ = false;
        changed_.notify();
    }

    Task<void> read_answers() {
        while (writing_ || (!failed_ && !pending_.empty())) {
            if (pending_.empty() || failed_) {
                co_await changed_.wait(Milliseconds(1000));
                continue;
            }
            auto answer = co_await client_.receive();
            if (failed_) {
                continue;
            }
            if (answer.ack.empty()) {
                fail(answer.problem);
                continue;
            }
            note(answer.ack);
        }
    }

    void note(const std::string& ack) {
        const auto pending = std::move(pending_.front());
        pending_.pop_front();
        if (ack_control_id(ack) != pending.control_id) {
            run_.lose(1, "an acknowledgement answers another message");
            return;
        }
        auto& result = run_.result;
        if (pending.measured) {
            ++result.measured;
            result.latencies.add(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - pending.due));
        }
        const auto code = ack_code(ack);
        ++result.codes[code];
        const bool positive = code == "AA" || code == "CA";
        ++(positive ? result.positive : result.negative);
        if (!positive && result.first_problem.empty()) {
            result.first_problem = "answered " + code;
        }
    }

    void fail(const std::string& problem) {
        run_.lose(pending_.size(), problem);
        pending_.clear();
        failed_ = true;
    }

    Run& run_;
    asio::any_io_executor executor_;
    mllp::Client client_;
    Signal changed_;
    asio::steady_timer pace_;
    LoadPlan plan_;
    std::deque<Pending> pending_;
    bool writing_ = false;
    bool failed_ = false;
};

// On a terminal one line that is written over; elsewhere a new line now and then.
Task<void> show_progress(Run& run, asio::any_io_executor executor) {
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    asio::steady_timer timer(executor);
    Milliseconds shown{0};
    while (run.working > 0) {
        error_code ec;
        constexpr Milliseconds look{200};
        timer.expires_after(look);
        co_await timer.async_wait(into(ec));
        shown += look;
        const bool over = run.working == 0;
        if (shown >= (terminal ? Milliseconds(400) : Milliseconds(10'000)) || over) {
            shown = Milliseconds(0);
            const auto line = progress_line(run.options, run.result, run.seconds());
            std::fprintf(stderr, terminal ? "\r%s\x1b[K%s" : "%s%s", line.c_str(), terminal && !over ? "" : "\n");
        }
    }
}

} // namespace

LoadResult run_load(const LoadOptions& options) {
    asio::io_context io(1);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    Run run{options, {}, {}};
    run.result.run = fmt::format("L{:x}", std::chrono::duration_cast<Milliseconds>(now).count());
    std::vector<std::unique_ptr<Sender>> senders;
    for (std::uint64_t i = 0; i < options.connections; ++i) {
        senders.push_back(std::make_unique<Sender>(run, io.get_executor(), i));
        ++run.working;
        asio::co_spawn(io, senders.back()->work(), asio::detached);
    }
    if (options.progress) {
        asio::co_spawn(io, show_progress(run, io.get_executor()), asio::detached);
    }
    io.run();
    run.result.seconds = run.seconds();
    return std::move(run.result);
}

} // namespace radscheduler::sidecar::tools
