#include "live/service.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "http/problem.hpp"
#include "live/takeover.hpp"
#include "obs/log.hpp"

namespace radscheduler::sidecar::live {
namespace {

constexpr std::size_t page_size = 500;
constexpr std::size_t replays_at_a_time = 2;
constexpr Milliseconds least_pause{5}; // wake-ups that come faster are answered together
constexpr Milliseconds poll_interval{250};
constexpr Milliseconds after_failure{500};
constexpr Milliseconds tick_interval{1000};
constexpr Milliseconds ready_limit{10'000};
constexpr Milliseconds nobody_there = std::chrono::hours(1);

} // namespace

Service::Service(asio::any_io_executor executor, ServiceOptions options, std::shared_ptr<db::Pool> pool,
                 std::shared_ptr<http::Doorkeeper> door, Counters& counters)
    : executor_(std::move(executor)), options_(options), backend_(std::move(pool), std::move(door)),
      counters_(counters), hub_(options_.remembered), replays_(executor_, replays_at_a_time), wake_(executor_),
      pause_(executor_) {}

void Service::start() {
    asio::co_spawn(
        executor_, [self = shared_from_this()] { return self->read(); }, asio::detached);
    asio::co_spawn(
        executor_, [self = shared_from_this()] { return self->tick(); }, asio::detached);
}

void Service::stop() {
    stopped_ = true;
    hub_.end(1001, "the server is shutting down");
    wake_.notify();
    pause_.notify();
}

Task<std::optional<http::Response>> Service::serve(Call& call) {
    const auto self = shared_from_this();
    if (stopped_ || hub_.size() >= options_.max_connections) {
        log::warn("live.refused", "too many live connections (RADSCHED_LIVE_MAX_CONNECTIONS)", {{"open", hub_.size()}});
        auto refusal = http::unavailable();
        refusal.headers.emplace_back("Retry-After", "10");
        co_return refusal;
    }
    counters_.live_connections.add();
    if (call.request.route->id == http::RouteId::live_socket) {
        co_return co_await serve_websocket(self, call);
    }
    co_return co_await serve_events(self, call);
}

void Service::join(Connection* connection) {
    hub_.join(connection);
    connections_.insert(connection);
    counters_.live_connections_now.add();
    wake_.notify();
}

void Service::leave(Connection* connection) {
    hub_.leave(connection);
    connections_.erase(connection);
    counters_.live_connections_now.remove();
}

// One reader for everybody.
Task<void> Service::read() {
    const auto self = shared_from_this();
    bool asks_head = true;
    while (!stopped_) {
        if (hub_.size() == 0) {
            hub_.rest();
            co_await wake_.wait(nobody_there);
            continue;
        }
        if (asks_head || !hub_.is_reading()) {
            const auto head = co_await backend_.head();
            if (!head) {
                co_await pause_.wait(after_failure);
                continue;
            }
            hub_.begin(*head);
            hub_.publish(std::vector<EventPtr>()); // those who wait for it go on
            asks_head = false;
        }
        auto events = co_await backend_.events_after(hub_.history().head(), 0, page_size);
        if (!events) {
            asks_head = true; // another database may answer next
            co_await pause_.wait(after_failure);
            continue;
        }
        const bool more = events->size() == page_size;
        if (!events->empty()) {
            hub_.publish(std::move(*events));
        }
        if (!more) {
            co_await pause_.wait(least_pause);
            co_await wake_.wait(poll_interval);
        }
    }
}

Task<void> Service::tick() {
    const auto self = shared_from_this();
    auto checked = Clock::now();
    while (!stopped_ || hub_.size() > 0) {
        error_code ignored;
        asio::steady_timer timer(executor_, stopped_ ? Milliseconds(100) : tick_interval);
        co_await timer.async_wait(into(ignored));
        hub_.tick(Clock::now(), std::chrono::system_clock::now());
        if (!stopped_ && since(checked) >= options_.recheck) {
            checked = Clock::now();
            co_await end_lapsed();
        }
    }
}

Task<void> Service::end_lapsed() {
    std::vector<Caller> callers;
    std::vector<Connection*> whose;
    for (auto* connection : connections_) {
        if (connection->caller) {
            callers.push_back(*connection->caller);
            whose.push_back(connection);
        }
    }
    if (callers.empty()) {
        co_return;
    }
    const auto places = co_await backend_.lapsed(callers);
    for (const auto place : places) {
        if (place < whose.size() && connections_.count(whose[place]) > 0) {
            whose[place]->end(4401, "the credential no longer counts");
        }
    }
}

Task<bool> Service::ready(Connection& connection) {
    const auto began = Clock::now();
    while (!hub_.is_reading() && !stopped_ && since(began) < ready_limit) {
        wake_.notify();
        co_await connection.wake.wait(poll_interval);
    }
    co_return hub_.is_reading() && !stopped_;
}

Task<Backend::Located> Service::locate(const Place& place, int site) {
    const auto head = hub_.head();
    Backend::Located located;
    if (!place.epoch.empty() && place.epoch != head.epoch) {
        located.where = Where::epoch_changed;
        co_return located;
    }
    if (hub_.history().covers(place.cursor) && place.cursor <= head.cursor) {
        located.behind = hub_.history().count_after(place.cursor, site);
        co_return located;
    }
    const auto turn = co_await replays_.take();
    const auto asked = co_await backend_.locate(place, site);
    if (!asked) {
        located.where = Where::cursor_expired; // whoever cannot be told what he missed has to read anew
        co_return located;
    }
    counters_.live_resyncs.add(asked->where == Where::ok ? 0 : 1);
    co_return *asked;
}

Task<History::Page> Service::page_after(Cursor after, int site, bool& reached) {
    if (!hub_.history().covers(after)) {
        const auto turn = co_await replays_.take();
        // What the reader has passed, a question that is asked after it sees too.
        const auto passed = hub_.history().head();
        auto events = co_await backend_.events_after(after, site, page_size);
        History::Page page;
        page.upto = after;
        if (!events) {
            error_code ignored;
            asio::steady_timer pause(executor_, after_failure);
            co_await pause.async_wait(into(ignored));
        } else {
            const bool whole = events->size() < page_size;
            page.upto = events->empty() ? after : events->back()->cursor;
            page.upto = whole ? std::max(page.upto, passed) : page.upto;
            page.events = std::move(*events);
        }
        reached = false;
        co_return page;
    }
    auto page = hub_.history().page_after(after, site, page_size);
    reached = page.upto >= hub_.history().head();
    co_return page;
}

} // namespace radscheduler::sidecar::live
