// What each route does: hand the bytes to one SQL function and pass its answer on. JSON is made and judged in the
// database.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "db/pool.hpp"
#include "http/doorkeeper.hpp"
#include "http/figure_cache.hpp"
#include "http/health_report.hpp"
#include "http/message.hpp"
#include "live/service.hpp"
#include "net/asio.hpp"
#include "obs/counters.hpp"

namespace radscheduler::sidecar::http {

class Api {
public:
    // `describe` fills in what the API cannot see itself: listeners, Redis, relay, draining, uptime.
    Api(std::shared_ptr<db::Pool> pool, Counters& counters, std::shared_ptr<Doorkeeper> door,
        std::function<void(Probes&)> describe);

    Doorkeeper& door() { return *door_; }
    // Where POST /api/v1/stream-tickets goes, and connections that follow events.
    void set_live(std::shared_ptr<live::Service> live) { live_ = std::move(live); }
    // Where figures are looked for first; without it PostgreSQL counts them each time.
    void set_cache(std::shared_ptr<FigureCache> cache) { cache_ = std::move(cache); }
    const std::shared_ptr<live::Service>& live_service() const { return live_; }

    Task<Response> handle(const Request& request);

private:
    Task<Response> call(const Request& request);
    // In the principal's name: site, actor, login, version and trace go before `params`.
    Task<Response> ask(db::StatementId id, const Request& request, std::vector<db::Param> params);
    Task<Response> ask_with_query(db::StatementId id, const Request& request);
    Task<Response> dashboard(const Request& request);
    Task<Response> health(bool full);

    std::shared_ptr<db::Pool> pool_;
    Counters& counters_;
    std::shared_ptr<Doorkeeper> door_;
    std::function<void(Probes&)> describe_;
    std::shared_ptr<live::Service> live_;
    std::shared_ptr<FigureCache> cache_;
};

} // namespace radscheduler::sidecar::http
