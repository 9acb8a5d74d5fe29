// The bytes of GET /api/v1/stream: an answer that does not end. What is written is decided in event_stream.cpp.
#include <array>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>

#include "http/cors.hpp"
#include "http/problem.hpp"
#include "live/event_stream.hpp"
#include "live/request.hpp"
#include "live/service.hpp"
#include "live/takeover.hpp"
#include "obs/log.hpp"

namespace radscheduler::sidecar::live {
namespace {

constexpr int send_buffer = 128 << 10; // what the kernel keeps for a slow client
constexpr std::size_t one_write = 16U << 10U;

std::string_view view(boost::beast::string_view text) {
    return {text.data(), text.size()};
}

class Stream : public Connection, public std::enable_shared_from_this<Stream> {
public:
    Stream(std::shared_ptr<Service> service, http::Stream& stream, EventStream events, std::string peer)
        : Connection(stream.get_executor()), service_(std::move(service)), stream_(stream), events_(std::move(events)),
          peer_(std::move(peer)), read_ended_(stream.get_executor()) {}

    void offer(const EventPtr& event) override {
        if (started_) {
            events_.offer(event);
        }
    }
    void end(unsigned /*code*/, const char* /*reason*/) override {
        events_.close();
        wake.notify();
    }
    void tick(Moment now, std::chrono::system_clock::time_point wall) override {
        events_.tick(now, wall);
        if (events_.must_cut(now)) {
            stream_.next_layer().close();
        }
        wake.notify();
    }

    // False when the database does not answer; nothing has been written then.
    Task<bool> run(const Call& call, const StreamRequest& asked) {
        const auto self = shared_from_this();
        const bool is_ready = co_await service_->ready(*this);
        if (!is_ready) {
            co_return false;
        }
        stream_.next_layer().expires_never();
        error_code ec;
        stream_.next_layer().socket().set_option(asio::socket_base::send_buffer_size(send_buffer), ec);
        tell_opened(call.request.trace_id);
        asio::co_spawn(
            stream_.get_executor(), [self] { return self->read(); }, asio::detached);
        const auto head = head_of_answer(call);
        co_await asio::async_write(stream_, asio::buffer(head), into(ec));
        gone_ = gone_ || ec || call.header.method() == boost::beast::http::verb::head;
        events_.start(asked.filter, asked.since, service_->hub().head());
        started_ = true;
        co_await write();
        stream_.next_layer().close();
        while (!reading_ended_) {
            co_await read_ended_.wait(Milliseconds(1000));
        }
        tell_closed();
        co_return true;
    }

private:
    // Not in a coroutine: g++ 12 destroys the parts of a braced list there twice.
    void tell_opened(const std::string& trace_id) {
        began_ = Clock::now();
        log::info("live.opened", "a stream follows events",
                  {{"principal", caller->principal.name}, {"peer", peer_}, {"trace_id", trace_id}});
    }
    void tell_closed() {
        service_->counters().live_slow_dropped.add(events_.overflowed() ? 1 : 0);
        log::info("live.closed", "a stream has ended",
                  {{"principal", caller->principal.name},
                   {"peer", peer_},
                   {"writes", sent},
                   {"duration_ms", since(began_).count()}});
    }

    static std::string head_of_answer(const Call& call) {
        std::string head = "HTTP/1.1 200 OK\r\nServer: radschedulerd\r\nContent-Type: text/event-stream\r\n"
                           "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\n"
                           "Referrer-Policy: no-referrer\r\nConnection: close\r\n";
        if (call.stream.is_tls()) {
            head += "Strict-Transport-Security: max-age=31536000\r\n";
        }
        for (const auto& [name, value] : http::cors_headers(call.origins, view(call.header["Origin"]))) {
            head += name + ": " + value + "\r\n";
        }
        return head + "\r\n";
    }

    // A client has nothing more to say: what is read tells only when it has gone.
    Task<void> read() {
        const auto self = shared_from_this();
        std::array<char, 256> ignored{};
        error_code ec;
        while (!ec) {
            co_await stream_.async_read_some(asio::buffer(ignored), into(ec));
        }
        gone_ = true;
        reading_ended_ = true;
        wake.notify();
        read_ended_.notify();
    }

    Task<void> write() {
        while (!gone_) {
            auto action = events_.next();
            if (std::holds_alternative<EventStream::Write>(action)) {
                std::string text;
                while (auto* write = std::get_if<EventStream::Write>(&action)) {
                    text += write->text;
                    service_->counters().live_frames.add();
                    if (text.size() >= one_write) {
                        break;
                    }
                    action = events_.next();
                }
                error_code ec;
                ++sent;
                co_await asio::async_write(stream_, asio::buffer(text), into(ec));
                gone_ = gone_ || ec;
                if (gone_ || text.size() >= one_write) {
                    continue;
                }
            }
            if (std::holds_alternative<EventStream::End>(action)) {
                co_return;
            }
            if (auto* locate = std::get_if<EventStream::Locate>(&action)) {
                const auto located = co_await service_->locate(locate->since, caller->site);
                events_.located(located.where, service_->hub().head());
            } else if (auto* asked = std::get_if<Feed::Page>(&action)) {
                bool reached = false;
                const auto page = co_await service_->page_after(asked->after, caller->site, reached);
                events_.page(*asked, page, reached);
            } else if (auto* ids = std::get_if<Feed::Expansion>(&action)) {
                std::string json;
                const auto outcome = co_await service_->backend().expand(*caller, *ids, json);
                if (outcome != Backend::Expanded::done) {
                    co_return;
                }
                events_.expanded(json);
            } else {
                co_await wake.wait(std::chrono::hours(1));
            }
        }
    }

    std::shared_ptr<Service> service_;
    http::Stream& stream_;
    EventStream events_;
    std::string peer_;
    Signal read_ended_;
    Clock::time_point began_{};
    bool started_ = false;
    bool gone_ = false;
    bool reading_ended_ = false;
};

} // namespace

Task<std::optional<http::Response>> serve_events(std::shared_ptr<Service> service, Call& call) {
    const auto& header = call.header;
    const auto asked = read_stream_request(http::read_query(call.request.query.view()), view(header["Last-Event-ID"]));
    if (!asked.problem.empty()) {
        co_return http::problem(400, "invalid_parameter", "Bad parameter", asked.problem);
    }
    if (!may_connect(view(header["Origin"]), view(header["Host"]), call.origins)) {
        co_return http::problem(403, "foreign_origin", "Foreign page",
                                "Pages of this origin may not connect. RADSCHED_CORS_ORIGINS lists those that may.");
    }
    const std::string authorization(view(header["Authorization"]));
    const std::string api_key(view(header["X-API-Key"]));
    auto admission = co_await service->backend().admit(authorization, api_key, asked.ticket, call.request.peer,
                                                       call.request.trace_id);
    if (std::holds_alternative<http::Response>(admission)) {
        co_return std::get<http::Response>(std::move(admission));
    }
    auto caller = std::get<Caller>(std::move(admission));
    EventStreamOptions options;
    options.heartbeat = std::max(service->options().heartbeat / 2, std::chrono::seconds(1));
    options.legacy = asked.legacy;
    options.feed.legacy = asked.legacy;
    options.feed.expand = asked.expand;
    auto stream =
        std::make_shared<Stream>(service, call.stream, EventStream(caller.admitted(), options), call.request.peer);
    stream->caller = std::move(caller);
    service->join(stream.get());
    const bool served = co_await stream->run(call, asked);
    service->leave(stream.get());
    if (!served) {
        co_return http::unavailable();
    }
    co_return std::nullopt;
}

} // namespace radscheduler::sidecar::live
