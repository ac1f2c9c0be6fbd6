//! Users, permissions, virtual hosts, policies and parameters: the scripts that set a broker up.

use super::Tools;

#[test]
fn a_set_up_script_runs_and_can_run_again() {
    let tools = Tools::start("ctl-setup");
    assert_eq!(
        tools.ok("rabbitmqctl add_user anna secret"),
        "Adding user \"anna\" ...\nDone. Don't forget to grant the user permissions to some virtual hosts! See \
         'rabbitmqctl help set_permissions' to learn more.\n"
    );
    assert_eq!(tools.fails("rabbitmqctl add_user anna secret"), (70, "Error:\nUser \"anna\" already exists\n".into()));
    assert_eq!(tools.ok("rabbitmqctl add_vhost shop"), "Adding vhost \"shop\" ...\n");
    assert_eq!(tools.ok("rabbitmqctl add_vhost shop"), "Adding vhost \"shop\" ...\n");
    assert_eq!(
        tools.ok("rabbitmqctl set_user_tags anna administrator monitoring"),
        "Setting tags for user \"anna\" to [administrator, monitoring] ...\n"
    );
    assert_eq!(
        tools.ok("rabbitmqctl set_permissions -p shop anna '.*' '^a' ''"),
        "Setting permissions for user \"anna\" in vhost \"shop\" ...\n"
    );
    assert_eq!(
        tools.ok("rabbitmqctl list_permissions -p shop"),
        "Listing permissions for vhost \"shop\" ...\nuser\tconfigure\twrite\tread\nanna\t.*\t^a\t\n"
    );
    assert_eq!(
        tools.ok("rabbitmqctl list_users --formatter json"),
        "[\n{\"user\":\"anna\",\"tags\":[\"administrator\",\"monitoring\"]}\n,{\"user\":\"guest\",\"tags\":[\"administrator\"]}\n]\n"
    );
    assert_eq!(
        tools.ok("rabbitmqctl -q list_user_permissions anna"),
        "vhost\tconfigure\twrite\tread\nshop\t.*\t^a\t\n"
    );
}

#[test]
fn what_is_not_there_has_rabbitmqs_exit_codes() {
    let tools = Tools::start("ctl-codes");
    let refusals = [
        ("set_permissions -p nosuch guest '' '' ''", 69, "Error:\nVirtual host nosuch does not exist\n"),
        ("set_permissions nobody '' '' ''", 67, "Error:\nUser nobody does not exist\n"),
        ("change_password nobody x", 67, "Error:\nUser \"nobody\" does not exist\n"),
        ("set_user_tags nobody x", 67, "Error:\nUser \"nobody\" does not exist\n"),
        ("delete_vhost nosuch", 65, "Virtual host 'nosuch' does not exist\n"),
        ("list_permissions -p nosuch", 65, "Virtual host 'nosuch' does not exist\n"),
        ("clear_policy nosuch", 69, "Error:\nParameter does not exist\n"),
        ("purge_queue nosuch", 65, "Object (queue, stream, exchange, etc) was not found\n"),
        ("delete_queue nosuch", 64, "Error:\nNo such queue was found\n"),
        (
            "authenticate_user guest wrong",
            65,
            "Error:\nError: failed to authenticate user \"guest\"\nuser 'guest' - invalid credentials\n",
        ),
        ("list_queus", 64, "\nCommand 'list_queus' not found. \nDid you mean 'list_queues'? \n\n"),
    ];
    for (command, code, error) in refusals {
        assert_eq!(tools.fails(&format!("rabbitmqctl {command}")), (code, error.to_owned()), "{command}");
    }
    for command in ["delete_user nobody", "clear_permissions nobody", "authenticate_user guest guest"] {
        tools.ok(&format!("rabbitmqctl {command}"));
    }
    let usage = "Usage\n\nrabbitmqctl [--node <node>] [--longnames] [--quiet] add_user <username> [<password>] [<password_hash> \
                 --pre-hashed-password]\n";
    let refused = |why: &str, given: &str| {
        (64, format!("Error (argument validation): {why}\nArguments given:\n\t{given}\n\n{usage}"))
    };
    assert_eq!(tools.fails("rabbitmqctl add_user"), refused("not enough arguments.", "add_user"));
    assert_eq!(tools.fails("rabbitmqctl add_user a b c"), refused("too many arguments.", "add_user a b c"));
    let why = "Invalid options for this command:\n--nosuch : ";
    assert_eq!(tools.fails("rabbitmqctl add_user --nosuch a b"), refused(why, "add_user --nosuch a b"));
}

#[test]
fn passwords_are_changed_taken_away_and_hashed() {
    let tools = Tools::start("ctl-passwords");
    let authenticates = |password: &str| tools.shell(&format!("rabbitmqctl authenticate_user u {password}")).code == 0;
    tools.ok("rabbitmqctl add_user u first && rabbitmqctl set_user_tags u management");
    assert!(authenticates("first"));
    tools.ok("rabbitmqctl change_password u second");
    assert!(authenticates("second") && !authenticates("first"));
    assert_eq!(tools.ok("rabbitmqctl -s list_users | grep ^u"), "u\t[management]\n", "tags stay");
    tools.ok("rabbitmqctl clear_password u");
    assert!(!authenticates("second"));
    tools.ok("rabbitmqctl add_user --pre-hashed-password v $(rabbitmqctl -q hash_password third)");
    tools.ok("rabbitmqctl authenticate_user v third");
    // From the standard input, so that it is in no list of processes.
    tools.ok("echo fourth | rabbitmqctl add_user w && echo fourth | rabbitmqctl authenticate_user w");
}

#[test]
fn virtual_hosts_have_limits_tags_and_tracing() {
    let tools = Tools::start("ctl-vhosts");
    tools.ok("rabbitmqctl add_vhost v --description 'a b' --tags x,y --default-queue-type quorum");
    assert_eq!(
        tools.ok("rabbitmqctl -q list_vhosts name description tags default_queue_type | grep ^v"),
        "v\ta b\t[x, y]\tquorum\n"
    );
    tools.ok("rabbitmqctl set_vhost_limits -p v '{\"max-connections\": 5}'");
    assert_eq!(
        tools.ok("rabbitmqctl list_vhost_limits -p v"),
        "Listing limits for vhost \"v\" ...\n{\"max-connections\":5}\n"
    );
    tools.ok("rabbitmqctl clear_vhost_limits -p v");
    assert_eq!(tools.ok("rabbitmqctl -q list_vhost_limits -p v"), "\n");
    assert!(tools.ok("rabbitmqctl trace_on -p v").ends_with("Trace enabled for vhost v\n"));
    assert_eq!(tools.ok("rabbitmqctl -s list_vhosts name tracing | grep ^v"), "v\ttrue\n");
    tools.ok("rabbitmqctl delete_vhost v");
}

#[test]
fn global_parameters_are_set_listed_and_cleared() {
    let tools = Tools::start("ctl-parameters");
    tools.ok("rabbitmqctl set_global_parameter g '{\"a\":1}'");
    assert!(tools.ok("rabbitmqctl -s list_global_parameters").contains("g\t{\"a\":1}\n"));
    tools.ok("rabbitmqctl clear_global_parameter g");
    assert_eq!(tools.ok("rabbitmqctl list_parameters --formatter json"), "[]\n");
}

#[test]
fn a_virtual_host_too_many_is_refused() {
    let tools = Tools::start_with("ctl-vhost-max", &["--vhost-max", "2"]);
    tools.ok("rabbitmqctl add_vhost v1");
    let refused = tools.shell("rabbitmqctl add_vhost v2");
    let error = "Error:\ncannot create vhost 'v2': vhost limit of 2 is reached\n";
    assert_eq!((refused.code, refused.error.as_str()), (64, error));
    assert_eq!(refused.out, "Adding vhost \"v2\" ...\n");
    tools.ok("rabbitmqctl add_vhost v1");
    // Other refusals of the broker are not taken for this one.
    assert_eq!(tools.shell("rabbitmqctl add_vhost v1 --default-queue-type stream").code, 69);
}

#[test]
fn an_unknown_type_of_queues_is_refused_before_the_broker_is_asked() {
    let tools = Tools::start("ctl-queue-type");
    let rest =
        "[--description <description> --tags \"<tag1>,<tag2>,<...>\" --default-queue-type <quorum|classic|stream>]";
    let usage = format!("Usage\n\nrabbitmqctl [--node <node>] [--longnames] [--quiet] add_vhost <vhost> {rest}\n");
    for (kind, why) in [
        ("moon", "Default queue type must be one of: quorum, stream, classic. Provided: moon"),
        ("QUORUM", "Default queue type must be one of: quorum, stream, classic. Provided: QUORUM"),
        ("''", "Default queue type must not be an empty string"),
    ] {
        let given = format!("add_vhost x --default-queue-type {}", kind.trim_matches('\''));
        let said = format!("Error (argument validation): Bad argument: {why}\nArguments given:\n\t{given}\n\n{usage}");
        let asked = tools.shell(&format!("rabbitmqctl add_vhost x --default-queue-type {kind}"));
        assert_eq!((asked.code, asked.out.as_str(), asked.error), (65, "", said), "{kind}");
        let (code, error) = tools.fails(&format!("rabbitmqctl update_vhost_metadata / --default-queue-type {kind}"));
        assert!(code == 65 && error.contains(why), "{kind}: {code} {error}");
    }
    assert_eq!(tools.ok("rabbitmqctl -q list_vhosts"), "name\n/\n");
}

#[test]
fn the_metadata_of_a_virtual_host_says_whether_it_may_be_deleted() {
    let tools = Tools::start("ctl-protection");
    tools.ok("rabbitmqctl add_vhost v --description d --tags a");
    let update = |option: &str| tools.shell(&format!("rabbitmqctl update_vhost_metadata v {option}"));
    let is_protected =
        || tools.ok("rabbitmqctl -s list_vhosts name description tags protected_from_deletion | grep ^v");
    for (option, expected) in [
        ("--protected-from-deletion=true", "true"),
        ("--protected-from-deletion=false", "false"),
        ("--protected-from-deletion", "true"),
        ("--no-protected-from-deletion", "false"),
        ("--protected-from-deletion", "true"),
    ] {
        let asked = update(option);
        assert_eq!((asked.code, asked.out.as_str()), (0, "Updating metadata of vhost \"v\" ...\n"), "{asked:?}");
        assert_eq!(is_protected(), format!("v\td\t[a]\t{expected}\n"), "{option}");
    }
    let (_, error) = tools.fails("rabbitmqctl delete_vhost v");
    assert!(error.contains("Refusing to delete virtual host 'v' because it is protected from deletion"), "{error}");
    for (option, why) in [
        ("--protected-from-deletion=maybe", "Invalid options for this command:\n--protected-from-deletion : maybe\n"),
        ("--protected-from-deletion=", "Invalid options for this command:\n--protected-from-deletion : \n"),
        ("--protected-from-deletion false", "too many arguments.\n"),
        ("", "not enough arguments.\n"),
    ] {
        let asked = update(option);
        let said = format!("Error (argument validation): {why}Arguments given:\n\tupdate_vhost_metadata v");
        assert!(asked.code == 64 && asked.error.starts_with(&said), "{option}: {asked:?}");
    }
    assert_eq!(
        tools.ok("rabbitmqctl disable_vhost_deletion_protection v"),
        "Removing deletion protection from virtual host \"v\" by updating its metadata...\n"
    );
    tools.ok("rabbitmqctl delete_vhost v");
}

#[test]
fn definitions_go_out_and_come_in() {
    let tools = Tools::start("ctl-definitions");
    let file = tools.data.path().join("definitions.json");
    tools.ok("rabbitmqctl add_vhost kept");
    let said = tools.ok(&format!("rabbitmqctl export_definitions {}", file.display()));
    assert_eq!(said, format!("Exporting definitions in JSON to a file at \"{}\" ...\n", file.display()));
    tools.ok("rabbitmqctl delete_vhost kept");
    tools.ok(&format!("rabbitmqctl import_definitions {}", file.display()));
    assert!(tools.ok("rabbitmqctl -s list_vhosts").contains("kept\n"));
    tools.ok("rabbitmqctl export_definitions - | rabbitmqctl -q import_definitions");
    let (code, error) = tools.fails("rabbitmqctl import_definitions /nowhere.json");
    assert!(code == 65 && error.contains("Bad argument: File /nowhere.json does not exist"), "{error}");
}

#[test]
fn plugins_are_listed_and_enabled_with_and_without_a_broker() {
    let mut tools = Tools::start("ctl-plugins");
    assert_eq!(
        tools.ok("rabbitmq-plugins is_enabled rabbitmq_management"),
        "Asking node rabbit@localhost if plugin rabbitmq_management is enabled...\nPlugin rabbitmq_management is enabled \
         on node rabbit@localhost\n"
    );
    let (code, error) = tools.fails("rabbitmq-plugins is_enabled nosuch");
    assert!(code == 69 && error.starts_with("Error:\nPlugin nosuch is not enabled on node"), "{error}");
    assert!(tools.ok("rabbitmq-plugins list -q -e -m").lines().any(|plugin| plugin == "rabbitmq_management"));
    assert!(tools.ok("rabbitmq-plugins list -q").contains("[e*] rabbitmq_management "));
    tools.program.stop();
    let not_found = "Error:\nThe following plugins were not found: nonsense\n";
    let set = tools.shell("rabbitmq-plugins set nonsense rabbitmq_management");
    assert_eq!((set.code, set.error.as_str()), (65, not_found));
    assert_eq!(set.out, "Enabling plugins on node rabbit@localhost:\nnonsense\nrabbitmq_management\n");
    assert!(!tools.plugins_file().exists());
    // Those of RabbitMQ that are not there are passed over, and so is any that is enabled.
    for command in ["set rabbitmq_management rabbitmq_peer_discovery_k8s", "enable nonsense", "disable nonsense"] {
        let said = tools.ok(&format!("rabbitmq-plugins {command} --offline"));
        assert!(said.contains("WARNING - plugins currently enabled but missing: "), "{command}: {said}");
    }
    tools.ok("rabbitmq-plugins disable --offline rabbitmq_peer_discovery_k8s");
    let said = tools.ok("rabbitmq-plugins enable --offline rabbitmq_management rabbitmq_mqtt");
    assert!(said.contains("WARNING - plugins currently enabled but missing: rabbitmq_mqtt\n"), "{said}");
    let written = std::fs::read_to_string(tools.plugins_file()).unwrap();
    assert_eq!(written, "[rabbitmq_management,rabbitmq_mqtt].\n");
    tools.ok("rabbitmq-plugins disable --offline rabbitmq_mqtt");
    assert_eq!(std::fs::read_to_string(tools.plugins_file()).unwrap(), "[rabbitmq_management].\n");
}
