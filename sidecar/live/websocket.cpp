// The bytes of a WebSocket: the upgrade, one coroutine that reads frames, one that writes. What is said is decided in
// protocol.cpp; Beast answers pings, sends its own, and gives up on a client that does not answer two of them.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/websocket.hpp>

#include "app/version.hpp"
#include "http/problem.hpp"
#include "live/request.hpp"
#include "live/service.hpp"
#include "live/takeover.hpp"
#include "obs/log.hpp"
#include "obs/text.hpp"

namespace radscheduler::sidecar::http {

// Beast asks for these by name (ADL) to end the stream below a WebSocket. The connection's owner says the goodbye of
// TLS.
inline void teardown(boost::beast::role_type /*role*/, Stream& stream, error_code& ec) {
    stream.next_layer().socket().shutdown(tcp::socket::shutdown_send, ec);
}

template <class Handler>
void async_teardown(boost::beast::role_type /*role*/, Stream& stream, Handler&& handler) {
    error_code ignored;
    if (!stream.is_tls()) {
        stream.next_layer().socket().shutdown(tcp::socket::shutdown_send, ignored);
    }
    asio::post(stream.get_executor(), boost::beast::bind_front_handler(std::forward<Handler>(handler), error_code()));
}

} // namespace radscheduler::sidecar::http

namespace radscheduler::sidecar::live {
namespace {

namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;

constexpr std::string_view protocol_name = "radsched.v1";
constexpr std::string_view bearer_prefix = "bearer.";
constexpr int send_buffer = 128 << 10; // what the kernel keeps for a slow client
constexpr unsigned unsupported_data = 1003;

std::string_view view(beast::string_view text) {
    return {text.data(), text.size()};
}

// The words of Sec-WebSocket-Protocol.
struct Offer {
    bool any = false;
    bool ours = false;
    std::string token;
};

Offer read_offer(std::string_view text) {
    Offer offer;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        const auto word = trim(text.substr(0, comma));
        text.remove_prefix(std::min(text.size(), comma + 1));
        offer.any = offer.any || !word.empty();
        offer.ours = offer.ours || word == protocol_name;
        if (word.substr(0, bearer_prefix.size()) == bearer_prefix) {
            offer.token = std::string(word.substr(bearer_prefix.size()));
        }
    }
    return offer;
}

http::Response upgrade_required() {
    auto response = http::problem(426, "upgrade_required", "This is a WebSocket",
                                  "Connect with a WebSocket client (ws:// or wss://), or read GET /api/v1/stream.");
    response.headers.emplace_back("Upgrade", "websocket");
    return response;
}

class Socket : public Connection, public std::enable_shared_from_this<Socket> {
public:
    Socket(std::shared_ptr<Service> service, http::Stream& stream, ProtocolOptions options, std::string peer)
        : Connection(stream.get_executor()), service_(std::move(service)), stream_(stream), ws_(stream),
          protocol_(std::move(options)), peer_(std::move(peer)), read_ended_(stream.get_executor()) {}

    void offer(const EventPtr& event) override { protocol_.offer(event); }
    void end(unsigned code, const char* reason) override {
        protocol_.close(code, reason);
        wake.notify();
    }
    void tick(Moment now, std::chrono::system_clock::time_point wall) override {
        protocol_.tick(now, wall);
        if (protocol_.must_cut(now)) {
            stream_.next_layer().close();
        }
        wake.notify();
    }

    Task<void> run(const Call& call, bool names_protocol) {
        const auto self = shared_from_this();
        const bool accepted = co_await accept(call, names_protocol);
        if (!accepted) {
            co_return;
        }
        trace_id_ = call.request.trace_id;
        tell_opened();
        protocol_.start(Clock::now(), caller.has_value());
        asio::co_spawn(
            stream_.get_executor(), [self] { return self->read(); }, asio::detached);
        if (caller) {
            co_await let_in();
        }
        co_await write();
        stream_.next_layer().close();
        while (!reading_ended_) {
            co_await read_ended_.wait(Milliseconds(1000));
        }
        tell_closed();
    }

private:
    // Not in a coroutine: g++ 12 destroys the parts of a braced list there twice.
    void tell_opened() {
        began_ = Clock::now();
        log::info("live.opened", "a WebSocket follows events",
                  {{"principal", name()}, {"peer", peer_}, {"trace_id", trace_id_}});
    }
    void tell_closed() {
        service_->counters().live_slow_dropped.add(protocol_.overflowed() ? 1 : 0);
        log::info("live.closed", "a WebSocket has ended",
                  {{"principal", name()},
                   {"peer", peer_},
                   {"close_code", close_code_},
                   {"frames", sent},
                   {"duration_ms", since(began_).count()}});
    }
    std::string name() const { return caller ? caller->principal.name : std::string("(not yet)"); }

    Task<bool> accept(const Call& call, bool names_protocol) {
        stream_.next_layer().expires_never(); // the WebSocket has its own deadlines
        error_code ec;
        stream_.next_layer().socket().set_option(asio::socket_base::send_buffer_size(send_buffer), ec);
        websocket::stream_base::timeout limits{};
        limits.handshake_timeout = std::chrono::seconds(10);
        limits.idle_timeout = 2 * service_->options().heartbeat; // a ping at half of it
        limits.keep_alive_pings = true;
        ws_.set_option(limits);
        ws_.set_option(websocket::stream_base::decorator([names_protocol](websocket::response_type& response) {
            response.set(beast::http::field::server, "radschedulerd");
            if (names_protocol) {
                response.set(beast::http::field::sec_websocket_protocol, "radsched.v1");
            }
        }));
        ws_.read_message_max(ProtocolOptions().max_frame);
        ws_.auto_fragment(false);
        ws_.text(true);
        co_await ws_.async_accept(call.header, into(ec));
        co_return !ec;
    }

    Task<void> let_in() {
        const bool is_ready = co_await service_->ready(*this);
        if (!is_ready) {
            protocol_.close(1013, "the database does not answer; come again");
            co_return;
        }
        protocol_.admitted(caller->admitted(), service_->hub().head());
    }

    Task<void> read() {
        const auto self = shared_from_this();
        beast::flat_buffer buffer;
        while (true) {
            error_code ec;
            buffer.clear();
            co_await ws_.async_read(buffer, into(ec));
            if (ec) {
                break;
            }
            if (!ws_.got_text()) {
                protocol_.close(unsupported_data, "frames are text");
            } else {
                const auto bytes = buffer.cdata();
                protocol_.received({static_cast<const char*>(bytes.data()), bytes.size()}, Clock::now());
            }
            buffer.shrink_to_fit();
            wake.notify();
        }
        gone_ = true;
        reading_ended_ = true;
        wake.notify();
        read_ended_.notify();
    }

    // Does what the protocol says, one thing after the other, until there is nobody to do it for.
    Task<void> write() {
        while (!gone_) {
            auto action = protocol_.next();
            if (auto* write = std::get_if<Protocol::Write>(&action)) {
                error_code ec;
                ++sent;
                service_->counters().live_frames.add();
                co_await ws_.async_write(asio::buffer(write->frame), into(ec));
                gone_ = gone_ || ec;
            } else if (auto* close = std::get_if<Protocol::Close>(&action)) {
                co_await say_goodbye(*close);
                co_return;
            } else if (auto* check = std::get_if<Protocol::Authenticate>(&action)) {
                co_await authenticate(std::move(check->token));
            } else if (auto* locate = std::get_if<Protocol::Locate>(&action)) {
                Backend::Located located;
                if (locate->since) {
                    located = co_await service_->locate(*locate->since, caller->site);
                }
                protocol_.located(*locate, located.where, located.behind, service_->hub().head());
            } else if (auto* asked = std::get_if<Feed::Page>(&action)) {
                bool reached = false;
                const auto page = co_await service_->page_after(asked->after, caller->site, reached);
                protocol_.page(*asked, page, reached);
            } else if (auto* ids = std::get_if<Feed::Expansion>(&action)) {
                co_await expand(*ids);
            } else {
                co_await wake.wait(std::chrono::hours(1));
            }
        }
    }

    Task<void> say_goodbye(Protocol::Close close) {
        error_code ec;
        close_code_ = close.code;
        websocket::close_reason reason;
        reason.code = static_cast<websocket::close_code>(close.code);
        reason.reason = beast::string_view(close.reason.data(), std::min<std::size_t>(close.reason.size(), 120));
        co_await ws_.async_close(reason, into(ec));
    }

    Task<void> authenticate(std::string token) {
        const std::string authorization = "Bearer " + token;
        const std::string nothing;
        auto admission = co_await service_->backend().admit(authorization, nothing, nothing, peer_, trace_id_);
        if (std::holds_alternative<http::Response>(admission)) {
            const auto status = std::get<http::Response>(admission).status;
            protocol_.refused(status == 403   ? 4403
                              : status == 401 ? 4401
                              : status == 429 ? 4429
                                              : 1013,
                              status == 403 ? "the token lacks events:read" : "the token was not accepted");
            co_return;
        }
        const bool is_new = !caller;
        auto found = std::get<Caller>(std::move(admission));
        if (is_new) {
            caller = std::move(found);
            co_await let_in();
        } else {
            const auto who = found.admitted();
            protocol_.admitted(who, service_->hub().head());
            if (who.site == caller->site && who.name == caller->principal.name) {
                caller = std::move(found);
            }
        }
    }

    Task<void> expand(const Feed::Expansion& ids) {
        std::string json;
        const auto outcome = co_await service_->backend().expand(*caller, ids, json);
        if (outcome == Backend::Expanded::lapsed) {
            protocol_.close(4401, "the credential no longer counts");
        } else if (outcome == Backend::Expanded::failed) {
            protocol_.close(1013, "the database does not answer; come again");
        } else {
            protocol_.expanded(json);
        }
    }

    std::shared_ptr<Service> service_;
    http::Stream& stream_;
    websocket::stream<http::Stream&, false> ws_; // without compression: it would keep a window for each connection
    Protocol protocol_;
    std::string peer_;
    std::string trace_id_; // of the request that opened this
    Signal read_ended_;
    Clock::time_point began_{};
    unsigned close_code_ = 1006;
    bool gone_ = false;
    bool reading_ended_ = false;
};

} // namespace

Task<std::optional<http::Response>> serve_websocket(std::shared_ptr<Service> service, Call& call) {
    const auto& header = call.header;
    if (!websocket::is_upgrade(header) || call.buffer.size() > 0) {
        co_return upgrade_required();
    }
    if (!may_connect(view(header["Origin"]), view(header["Host"]), call.origins)) {
        co_return http::problem(403, "foreign_origin", "Foreign page",
                                "Pages of this origin may not connect. RADSCHED_CORS_ORIGINS lists those that may.");
    }
    const auto offer = read_offer(view(header["Sec-WebSocket-Protocol"]));
    if (offer.any && !offer.ours) {
        co_return http::problem(400, "unknown_protocol", "Unknown protocol",
                                "Offer the WebSocket protocol radsched.v1, and beside it bearer.<token> if you like.");
    }
    const auto asked = read_stream_request(http::read_query(call.request.query.view()), "");
    if (!asked.problem.empty()) {
        co_return http::problem(400, "invalid_parameter", "Bad parameter", asked.problem);
    }
    std::string authorization(view(header["Authorization"]));
    if (authorization.empty() && !offer.token.empty()) {
        authorization = "Bearer " + offer.token;
    }
    const std::string api_key(view(header["X-API-Key"]));
    const bool brings_nothing = authorization.empty() && api_key.empty() && asked.ticket.empty();
    auto admission = co_await service->backend().admit(authorization, api_key, asked.ticket, call.request.peer,
                                                       call.request.trace_id);
    if (std::holds_alternative<http::Response>(admission) &&
        (!brings_nothing || std::get<http::Response>(admission).status != 401)) {
        co_return std::get<http::Response>(std::move(admission));
    }
    ProtocolOptions options;
    options.server = std::string("radschedulerd ") + version_text();
    options.heartbeat = service->options().heartbeat;
    options.says_heartbeat = asked.heartbeat;
    options.legacy = asked.legacy;
    options.legacy_filter = asked.filter;
    options.feed.legacy = asked.legacy;
    options.feed.expand = asked.expand;
    auto socket = std::make_shared<Socket>(service, call.stream, std::move(options), call.request.peer);
    if (std::holds_alternative<Caller>(admission)) {
        socket->caller = std::get<Caller>(std::move(admission));
    }
    service->join(socket.get());
    co_await socket->run(call, offer.ours);
    service->leave(socket.get());
    co_return std::nullopt;
}

} // namespace radscheduler::sidecar::live
