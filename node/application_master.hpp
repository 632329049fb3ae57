#pragma once
// ApplicationMaster: the process of one running application, above its supervisor (OTP's
// application_master). It runs the start phases, prep_stop and stop, and ends as its supervisor
// ends.

#include <memory>
#include <optional>

#include <coterie/application.hpp>
#include <coterie/gen_server.hpp>

namespace coterie {

class ApplicationMaster final : public GenServer {
 public:
  using Infos = Messages<Exit>;

  /// Its spec for the node's supervisor of applications; the restart type is the application's.
  static ChildSpec child_spec(Application application);

  explicit ApplicationMaster(std::shared_ptr<const Application> application)
      : application_(std::move(application)) {}

  Init init();
  Next handle_info(const Exit& exit);
  void terminate(const ExitReason& reason);

 private:
  void run(std::string_view what, const std::function<void()>& callback) const;
  void stop_children();

  std::shared_ptr<const Application> application_;
  std::optional<Pid> supervisor_;
};

}  // namespace coterie
