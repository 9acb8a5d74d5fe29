#include "redis/reader.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "net/reconnect.hpp"
#include "obs/log.hpp"

namespace radscheduler::sidecar::redis {
namespace {

constexpr Milliseconds first_wait{100};
constexpr Milliseconds longest_wait{10'000};
constexpr Milliseconds ping_after{15'000};

} // namespace

Reader::Reader(asio::any_io_executor executor, Url url, TlsFiles tls)
    : executor_(std::move(executor)), client_(executor_, std::move(url), std::move(tls)), wake_(executor_),
      pause_(executor_) {}

void Reader::start() {
    asio::co_spawn(
        executor_, [self = shared_from_this()] { return self->run(); }, asio::detached);
}

void Reader::stop() {
    stopped_ = true;
    wake_.notify();
    pause_.notify();
    client_.interrupt();
}

Task<Found> Reader::get(std::string key) {
    const auto self = shared_from_this();
    Found found;
    if (!client_.connected() || stopped_ || waiters_.size() >= most_waiters) {
        co_return found;
    }
    const auto waiter = std::make_shared<Waiter>(executor_, std::move(key));
    waiters_.push_back(waiter);
    wake_.notify();
    co_await waiter->answered.wait(patience);
    found = waiter->found;
    co_return found;
}

// Why Redis cannot be used is the relay's to tell, which needs it more.
Task<void> Reader::run() {
    const auto self = shared_from_this();
    Reconnect reconnect(first_wait, longest_wait);
    auto step = reconnect.resume(Reconnect::Event::start, random_number());
    while (step.action != Reconnect::Action::finish) {
        auto event = Reconnect::Event::slept;
        if (step.action == Reconnect::Action::connect) {
            const auto reason = co_await client_.connect();
            event = reason.empty() ? Reconnect::Event::connected : Reconnect::Event::failed;
        } else if (step.action == Reconnect::Action::serve) {
            co_await serve();
            event = Reconnect::Event::lost;
        } else {
            co_await pause_.wait(step.delay);
        }
        step = reconnect.resume(stopped_ ? Reconnect::Event::stop : event, random_number());
    }
}

// Returns when the connection is lost or the daemon stops.
Task<void> Reader::serve() {
    while (client_.connected() && !stopped_) {
        co_await wake_.wait(ping_after);
        if (!waiters_.empty()) {
            co_await look_up();
        } else if (!stopped_) {
            std::vector<Command> commands(1, Command(1, "PING"));
            co_await client_.send(std::move(commands), patience);
        }
    }
    // Who came while the last exchange failed.
    for (const auto& waiter : waiters_) {
        waiter->answered.notify();
    }
    waiters_.clear();
}

Task<void> Reader::look_up() {
    Waiters asking;
    asking.swap(waiters_);
    std::vector<std::string> keys;
    keys.reserve(asking.size());
    for (const auto& waiter : asking) {
        keys.push_back(waiter->key);
    }
    Lookup lookup(keys);
    const auto reason = co_await client_.look_up(lookup, patience);
    for (std::size_t i = 0; i < asking.size(); ++i) {
        if (reason.empty()) {
            asking[i]->found = std::move(lookup.found()[i]);
        }
        asking[i]->answered.notify();
    }
    if (!lookup.refusal().empty()) {
        tell_refusal(lookup.refusal());
    }
}

void Reader::tell_refusal(const std::string& word) {
    if (!told_refusal_) {
        log::warn("redis.not_read",
                  "figures are not read from Redis but counted by PostgreSQL each time: Redis refused GET of "
                  "radsched:{site}:cache:*",
                  {{"error", word + std::string(advice(word))}});
    }
    told_refusal_ = true;
}

} // namespace radscheduler::sidecar::redis
