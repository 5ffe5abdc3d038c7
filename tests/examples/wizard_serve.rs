use std::path::Path;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let luci =
        mqttguard_tests::luci::Luci::start(Path::new(&args[1]), Path::new(&args[2])).unwrap();
    std::fs::write(&args[3], luci.url()).unwrap();
    loop {
        std::thread::sleep(std::time::Duration::from_secs(3600));
    }
}
