//! `/diagnose`: the table of real error texts, what their remedies say, and texts that mean harm.

use std::fs;
use std::path::PathBuf;

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::service::Service;

/// A row of `tests/data/diagnosis/cases.csv`; its README says what the columns mean.
#[derive(serde::Deserialize)]
struct Case {
    name: String,
    text: String,
    code: String,
    image: String,
    image_os_version: String,
    host: String,
    isolation: String,
    platform: String,
    remedies: String,
    source: String,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/diagnosis")
}

/// The text of a case: in the table, or in the file that the table names.
fn text_of(case: &str) -> String {
    match case.strip_prefix('@') {
        Some(file) => fs::read_to_string(folder().join(file)).expect("the file is committed"),
        None => case.to_owned(),
    }
}

fn cases() -> Vec<Case> {
    let table = csv::Reader::from_path(folder().join("cases.csv")).expect("it is committed");
    table.into_deserialize().map(|row| row.expect("the columns are those of a case")).collect()
}

async fn diagnose(service: &Service, text: &str) -> Value {
    let answer = service.post_as("/diagnose", "text/plain", text.to_owned()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

/// A remedy as the table writes it: its code, and the tag where it names one.
fn short(remedy: &Value) -> String {
    let code = remedy["code"].as_str().expect("a code");
    remedy["tag"].as_str().map_or_else(|| code.to_owned(), |tag| format!("{code}={tag}"))
}

#[tokio::test]
async fn real_texts_are_understood() {
    let service = Service::offline();
    let mut wrong = Vec::new();
    for case in cases() {
        let answer = diagnose(&service, &text_of(&case.text)).await;
        let findings = answer["findings"].as_array().expect("a list");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let codes: Vec<String> = findings.iter().map(|finding| text(&finding["code"])).collect();
        let first = findings.first().unwrap_or(&Value::Null);
        let remedies: Vec<String> =
            first["remedies"].as_array().into_iter().flatten().map(short).collect();
        let said = [
            codes.join(" "),
            text(&first["image"]["requested"]),
            text(&first["image_os_version"]),
            text(&first["host"]["os_version"]),
            text(&first["isolation"]),
            text(&first["platform"]),
            remedies.join(" "),
        ];
        let expected = [
            case.code,
            case.image,
            case.image_os_version,
            case.host,
            case.isolation,
            case.platform,
            case.remedies,
        ];
        assert!(!case.source.is_empty(), "{} has no source", case.name);
        if said != expected {
            wrong.push(format!("{}:\n  expected {expected:?}\n  said     {said:?}", case.name));
        }
        assert_eq!(
            findings.is_empty(),
            answer["hint"].as_str().is_some_and(|hint| hint.contains("no error was recognised"))
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_many_texts_and_many_that_are_none() {
    let (known, unknown): (Vec<Case>, Vec<Case>) =
        cases().into_iter().partition(|case| !case.code.is_empty());
    assert!(known.len() >= 40 && unknown.len() >= 10, "{} and {}", known.len(), unknown.len());
    let has_row = |row: u32| known.iter().any(|case| case.name == format!("e{row:02}"));
    // Every error of the collection that has a text; 35 to 37 are symptoms without a
    // message.
    assert!((1..=39).filter(|row| !(35..=37).contains(row)).all(has_row));
    let files = fs::read_dir(folder()).expect("it is committed");
    for file in
        files.map(|file| file.expect("it can be read").file_name().to_string_lossy().into_owned())
    {
        let is_used = known.iter().chain(&unknown).any(|case| case.text == format!("@{file}"));
        assert!(
            is_used || ["cases.csv", "unrelated.txt", "README.md"].contains(&file.as_str()),
            "no case has {file}"
        );
    }
}

/// The commands of a text's first finding, of those remedies that have one.
async fn commands(service: &Service, text: &str) -> Vec<String> {
    let answer = diagnose(service, text).await;
    let remedies = answer["findings"][0]["remedies"].as_array().expect("a finding").clone();
    remedies.iter().filter_map(|remedy| remedy["command"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn the_commands_are_those_to_type() {
    let service = Service::offline();
    let daemon = r#"{"exec-opts": ["isolation=hyperv"]}"#;
    let mismatch = "The operating system of the container does not match the operating system of \
                    the host. (0xc0370101)";
    let of = |image: &str, host: &str| {
        format!("docker run {image}\n{mismatch}\nKernel Version: {host}\n")
    };
    let check = |text: String, expected: Vec<&'static str>| {
        let service = &service;
        async move { assert_eq!(commands(service, &text).await, expected, "{text}") }
    };
    // An older image on a newer host: Hyper-V isolation runs it (R1), process isolation does not
    // (R2).
    check(
        of(
            "microsoft/nanoserver:sac2016",
            "10.0 16299 (16299.15.amd64fre.rs3_release.170928-1534)",
        ),
        vec![
            "docker run --isolation=process mcr.microsoft.com/windows/nanoserver:1709",
            "FROM mcr.microsoft.com/windows/nanoserver:1709",
            "docker run --isolation=hyperv microsoft/nanoserver:sac2016",
            daemon,
        ],
    )
    .await;
    // A newer image on an older host runs in neither mode (R1), so that Hyper-V isolation is no
    // remedy.
    check(
        of("mcr.microsoft.com/windows/servercore:ltsc2022", "10.0.17763.557"),
        vec![
            "docker run --isolation=process mcr.microsoft.com/windows/servercore:ltsc2019",
            "FROM mcr.microsoft.com/windows/servercore:ltsc2019",
        ],
    )
    .await;
    // On 14393 process isolation needs the very revision (R4), for which there is a build tag.
    check(
        of(
            "microsoft/nanoserver:10.0.14393.2007",
            "10.0 14393 (14393.1770.amd64fre.rs1_release.170917-1700)",
        ),
        vec![
            "docker run --isolation=process mcr.microsoft.com/windows/nanoserver:10.0.14393.1770",
            "FROM mcr.microsoft.com/windows/nanoserver:10.0.14393.1770",
            "docker run --isolation=hyperv microsoft/nanoserver:10.0.14393.2007",
            daemon,
        ],
    )
    .await;
    // Somebody's own image on Windows 11, whose default is Hyper-V isolation (R8).
    check(
        of("--isolation=process contoso/app:ltsc2019", "10.0.22631.1 Windows 11 Pro"),
        vec![
            "FROM mcr.microsoft.com/windows/servercore:ltsc2022",
            "docker manifest inspect --verbose contoso/app:ltsc2019",
            "docker run --isolation=hyperv contoso/app:ltsc2019",
            daemon,
        ],
    )
    .await;
    // It was in Hyper-V isolation already.
    check(
        of("--isolation=hyperv contoso/app-nanoserver", "10.0.20348.2113"),
        vec![
            "FROM mcr.microsoft.com/windows/nanoserver:ltsc2022",
            "docker manifest inspect --verbose contoso/app-nanoserver",
            "docker image inspect --format '{{.OsVersion}}' contoso/app-nanoserver",
        ],
    )
    .await;
    // Kubernetes has no Hyper-V isolation (R9).
    check(
        format!(
            "kubelet Error: failed to start: {mismatch}\nImage: contoso/app:ltsc2019\n\
             OS Image: Windows Server 2022 Datacenter"
        ),
        vec![
            concat!(
                r#"kubectl patch deployment DEPLOYMENT -p '{"spec":{"template":{"spec":"#,
                r#"{"nodeSelector":{"kubernetes.io/os":"windows","#,
                r#""node.kubernetes.io/windows-build":"10.0.17763"}}}}}'"#
            ),
            "FROM mcr.microsoft.com/windows/servercore:ltsc2022",
            "docker manifest inspect --verbose contoso/app:ltsc2019",
        ],
    )
    .await;
    // Swarm: the page of 2017.
    check(
        text_of("@service-ps-with-host.txt"),
        vec![
            "docker service update --image \
             mcr.microsoft.com/windows/servercore/iis:windowsservercore-1709 angry_liskov",
            "FROM mcr.microsoft.com/windows/servercore/iis:windowsservercore-1709",
            "docker service update --isolation hyperv angry_liskov",
            daemon,
            "docker service update --constraint-add node.labels.windows.build==14393 \
             --constraint-add node.labels.windows.revision==1715 angry_liskov",
        ],
    )
    .await;
    // Kubernetes: the page of 2017. The objects are those that the text names.
    check(
        text_of("@describe-pod-2017.txt"),
        vec![
            "kubectl get node 38519acs9011 -o jsonpath='{.status.nodeInfo.kernelVersion}'",
            "FROM mcr.microsoft.com/windows/servercore:TAG",
            concat!(
                r#"kubectl patch deployment fabrikamfiber.web -n plang -p "#,
                r#"'{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/os":"windows","#,
                r#""node.kubernetes.io/windows-build":"VERSION"}}}}}'"#
            ),
            "docker image inspect --format '{{.OsVersion}}' patricklang/fabrikamfiber.web:latest",
        ],
    )
    .await;
    // On 14393 the node must have the very revision (R4).
    check(
        format!(
            "kubelet Error: failed to start: {mismatch}\n\
             Image: microsoft/nanoserver:10.0.14393.1715\n\
             OS Image: Windows Server 2022 Datacenter"
        ),
        vec![
            concat!(
                r#"kubectl patch deployment DEPLOYMENT -p '{"spec":{"template":{"spec":"#,
                r#"{"nodeSelector":{"kubernetes.io/os":"windows","#,
                r#""node.kubernetes.io/windows-build":"10.0.14393","#,
                r#""wintag/windows-revision":"1715"}}}}}'"#
            ),
            "kubectl set image deployment/DEPLOYMENT \
             CONTAINER=mcr.microsoft.com/windows/nanoserver:ltsc2022",
            "FROM mcr.microsoft.com/windows/nanoserver:ltsc2022",
        ],
    )
    .await;
    // The labels are those of `/swarm/nodes`.
    check(
        text_of("@no-suitable-node.txt"),
        vec![
            "docker node inspect --format '{{.Description.Platform.OS}} \
             {{.Description.Platform.Architecture}} {{json .Spec.Labels}}' NODE",
            "docker node update --label-add OS=windows --label-add OsVersion=10.0.17763 \
             --label-add windows.build=17763 NODE",
        ],
    )
    .await;
    // An image newer than its host in the same build (R6): the newest tag that is not above the
    // host.
    check(
        "docker run mcr.microsoft.com/windows/servercore:ltsc2025\nexited unexpectedly. The \
         compute system exited unexpectedly. (0xc0370106)\nMicrosoft Windows [Version \
         10.0.26100.4061]\nDatacenter"
            .to_owned(),
        vec![
            "FROM mcr.microsoft.com/windows/servercore:10.0.26100.4061",
            "docker run --isolation=hyperv mcr.microsoft.com/windows/servercore:ltsc2025",
            daemon,
            "docker image inspect --format '{{.OsVersion}}' \
             mcr.microsoft.com/windows/servercore:ltsc2025",
        ],
    )
    .await;
    // Engines with the older matcher refuse ltsc2022 on 26200 (R3); a tag with an architecture is
    // no list (R12).
    check(
        "docker pull mcr.microsoft.com/windows/servercore:ltsc2022\nno matching manifest for \
         windows(10.0.26200)/amd64/v3 in the manifest list entries: no match for platform in \
         manifest: not found"
            .to_owned(),
        vec![
            "docker pull mcr.microsoft.com/windows/servercore:ltsc2022-amd64",
            "docker run --isolation=hyperv mcr.microsoft.com/windows/servercore:ltsc2025",
            "FROM mcr.microsoft.com/windows/servercore:ltsc2025",
        ],
    )
    .await;
    // Hyper-V is missing: what installs it, or a tag that does not need it.
    check(
        "docker run --isolation=hyperv microsoft/iis:windowsservercore-ltsc2016\nNo hypervisor is \
         present on this system. (0xc0351000)\nKernel Version: 10.0.17763.1"
            .to_owned(),
        vec![
            "Install-WindowsFeature -Name Hyper-V -Restart",
            "Set-VMProcessor -VMName NAME -ExposeVirtualizationExtensions $true",
            "docker run --isolation=process \
             mcr.microsoft.com/windows/servercore/iis:windowsservercore-ltsc2019",
        ],
    )
    .await;
    // BuildKit and ECS have no Hyper-V isolation either.
    check(
        format!(
            "failed to solve: {mismatch}\nFROM mcr.microsoft.com/windows/servercore:ltsc2019\nOS \
             Version: 10.0.20348"
        ),
        vec![
            "FROM mcr.microsoft.com/windows/servercore:ltsc2022",
            "FROM mcr.microsoft.com/windows/servercore:ltsc2022",
            "docker build --isolation=hyperv .",
        ],
    )
    .await;
    check(
        "failed to get sandbox image \"k8s.gcr.io/pause:3.5\": no match for platform in manifest: \
         not found"
            .to_owned(),
        vec!["sandbox_image = \"registry.k8s.io/pause:3.10.2\""],
    )
    .await;
}

#[tokio::test]
async fn evidence_is_part_of_the_text_and_the_same_error_is_one_finding() {
    let service = Service::offline();
    let error = "a Windows version 10.0.20348-based image is incompatible with a 10.0.17763 host";
    let text = format!("ошибка:\r\n{error}\r\n{error}\r\n{}", error.replace("20348", "26100"));
    let answer = diagnose(&service, &text).await;
    let findings = answer["findings"].as_array().expect("a list");
    let versions: Vec<&Value> =
        findings.iter().map(|finding| &finding["image_os_version"]).collect();
    assert_eq!(versions, ["10.0.20348", "10.0.26100"]);
    let (start, end) = (&findings[0]["evidence"]["start"], &findings[0]["evidence"]["end"]);
    let number =
        |value: &Value| usize::try_from(value.as_u64().expect("a number")).expect("a small one");
    let cut: String = text.chars().skip(number(start)).take(number(end) - number(start)).collect();
    assert_eq!((cut.as_str(), findings[0]["evidence"]["text"].as_str()), (error, Some(error)));
}

#[tokio::test]
async fn s13_texts_that_mean_harm_are_answered() {
    let service = Service::offline();
    let size = 64 << 10;
    let filled = |unit: &str| unit.repeat(size / unit.len());
    let texts = [
        filled("((a+)+)+"),
        filled("9"),
        filled("\u{202e}\u{200f}"),
        filled("\0"),
        filled("\u{1b}[31"),
        filled("\u{1b}]"),
        filled("\\u001b"),
        filled("0xc0370101 "),
        filled("no matching manifest for windows(10.0.17763"),
        filled("Name: x\nKernel Version: 10.0.17763.1\n"),
        filled("image \"a/b:c\" 0x80370101 "),
        filled("docker run --a b "),
        filled("default isolation: process "),
        filled("Failed to create pod sandbox 3221225785\n"),
        filled("\\\\\\\""),
        filled("(0xc0370101)\nhost: 10.0.\n"),
        filled("(0xc0370101) \"kernelVersion\":\"10.0.17763.557\","),
        filled("(0xc0370101) OS Build OS Build 1\n"),
        filled("(0xc0370101)\nx: 10.0.17763 a 17764\n"),
        filled(
            "(0xc0370101)\nName: a-b\nNamespace: n\nControlled By: ReplicaSet/a\nContainers:\n  \
             a:\n",
        ),
        filled("docker 3221225785\n"),
        filled("Windows (Windows (0xc0370101) "),
    ];
    for text in texts {
        let answer = diagnose(&service, &text).await;
        let findings = answer["findings"].as_array().expect("a list");
        assert!(findings.len() <= 8);
        for finding in findings {
            let evidence = finding["evidence"]["text"].as_str().expect("a text");
            assert!(
                evidence.chars().count() <= 401 && !evidence.chars().any(char::is_control),
                "{evidence:?}"
            );
        }
    }
    for nothing in ["", " \r\n"] {
        let answer = service.post_as("/diagnose", "text/plain", nothing).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["errors"][0]["code"]),
            (400, &Value::from("empty"))
        );
    }
    let too_long = service.post_as("/diagnose", "text/plain", "x".repeat(size + 1)).await;
    assert_eq!(too_long.status, StatusCode::PAYLOAD_TOO_LARGE);
    let other_type = service.post_as("/diagnose", "image/png", "x").await;
    assert_eq!(other_type.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let read = service.get("/diagnose").await;
    assert_eq!((read.status, read.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
}

#[tokio::test]
async fn what_powershell_writes_into_a_file_is_read() {
    let text = "\u{feff}image operating system\r\n\"windows\" cannot be used on this platform";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let service = Service::offline();
    for file in [little, big] {
        // What `curl --data` makes of the file: without NUL and the ends of lines.
        let sent_by_curl: Vec<u8> =
            file.iter().copied().filter(|byte| !b"\0\r\n".contains(byte)).collect();
        for body in [file, sent_by_curl] {
            let answer = service.post_as("/diagnose", "text/plain", body).await;
            assert_eq!(answer.json()["findings"][0]["code"], "linux-engine");
        }
    }
}

async fn codes_of(service: &Service, text: &str) -> Vec<String> {
    let answer = diagnose(service, text).await;
    let findings = answer["findings"].as_array().expect("a list");
    findings.iter().map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
}

/// The sentence of the mismatch, in the languages that Windows has.
#[tokio::test]
async fn the_mismatch_is_recognised_in_every_language() {
    let service = Service::offline();
    for sentence in [
        "Das Betriebssystem des Containers entspricht nicht dem Betriebssystem des Hosts.",
        "Das Betriebssystem des Containers stimmt nicht mit dem Betriebssystem des Hosts überein.",
        "Le système d’exploitation du conteneur ne correspond pas à celui de l’hôte.",
        "El sistema operativo del contenedor no coincide con el sistema operativo del host.",
        "Il sistema operativo del contenitore non corrisponde al sistema operativo dell'host.",
        "O sistema operacional do contêiner não corresponde ao sistema operacional do host.",
        "Операционная система контейнера не соответствует операционной системе узла.",
        "コンテナーのオペレーティング システムがホストのオペレーティング システムと一致しません。",
        "컨테이너 운영 체제가 호스트 운영 체제와 일치하지 않습니다.",
        "容器操作系统与主机操作系统不匹配。",
        "容器作業系統與主機作業系統不相符。",
    ] {
        let text = format!("docker: hcs::CreateComputeSystem 1f2e: {sentence}");
        assert_eq!(codes_of(&service, &text).await, ["os-version-mismatch"], "{sentence}");
        let with_code = format!("{text} (0xc0370101)");
        assert_eq!(codes_of(&service, &with_code).await, ["os-version-mismatch"], "{sentence}");
    }
}

/// What logs write before each line of a sentence that they wrap.
#[tokio::test]
async fn prefixes_of_logs_do_not_hide_a_sentence() {
    let service = Service::offline();
    for prefix in [
        "2024-03-14T04:36:20.1541741Z ",
        "2024-03-14T04:36:20.1541741Z ##[error]",
        "[2024-03-14 04:36:20] ",
        "04:36:20 ",
        "E1001 14:29:03.759095    8072 remote_runtime.go:105] ",
        "#12 0.312 ",
        "web-1  | ",
        "Mar 14 04:36:20 node1 dockerd[812]: ",
        "> ",
    ] {
        let lines = [
            "docker: Error response from daemon: hcs::CreateComputeSystem 1f2e: The container ope",
            "rating system does not ",
            "match the host operating system.",
        ];
        let text = lines.map(|line| format!("{prefix}{line}")).join("\n");
        assert_eq!(codes_of(&service, &text).await, ["os-version-mismatch"], "{prefix:?}");
    }
}

/// Texts about other things have no finding.
#[tokio::test]
async fn unrelated_texts_have_no_finding() {
    let service = Service::offline();
    let texts = include_str!("../data/diagnosis/unrelated.txt");
    let texts: Vec<&str> = texts.split("\n---\n").collect();
    assert!(texts.len() >= 40, "{}", texts.len());
    for text in texts {
        assert_eq!(codes_of(&service, text).await, Vec::<String>::new(), "{text}");
    }
}

/// A text without an error is answered with the hosts and images in it.
#[tokio::test]
async fn hosts_and_images_are_answered_without_an_error() {
    let service = Service::offline();
    let info = " Kernel Version: 10.0 17763 (17763.1.amd64fre.rs5_release.180914-1434)\n Operating \
                System: Windows Server 2019 Datacenter Version 1809 (OS Build 17763.1339)\n image: \
                mcr.microsoft.com/dotnet/aspnet:8.0-nanoserver-ltsc2022\n";
    let answer = diagnose(&service, info).await;
    assert_eq!(answer["hosts"][0]["host"]["os_version"], "10.0.17763.1339");
    assert_eq!(
        answer["hosts"][0]["references"][0],
        "mcr.microsoft.com/windows/servercore:ltsc2019"
    );
    assert_eq!(answer["images"][0]["image_os_version"], "10.0.20348");
    assert_eq!(
        answer["images"][0]["reference"],
        "mcr.microsoft.com/dotnet/aspnet:8.0-nanoserver-1809"
    );
    assert!(answer["hint"].as_str().is_some_and(|hint| hint.contains("hosts and images")));
    let none = diagnose(&service, "nothing to see here").await;
    assert_eq!((&none["hosts"], &none["images"]), (&serde_json::json!([]), &serde_json::json!([])));
}

/// The output of `systeminfo`, which is too long for a query.
fn systeminfo() -> String {
    let mut text = String::from(
        "Host Name:                 WIN-1\nOS Name:                   Microsoft Windows Server \
         2022 Datacenter\nOS Version:                10.0.20348 N/A Build 20348\nOS \
         Manufacturer:           Microsoft Corporation\nProduct ID:                \
         00454-40000-00001-AA081\nHotfix(s):                 200 Hotfix(s) Installed.\n",
    );
    for number in 0..200 {
        text.push_str(&format!("                           [{number:02}]: KB5{number:06}\n"));
    }
    text
}

#[tokio::test]
async fn a_whole_systeminfo_is_a_host() {
    let service = Service::offline();
    let text = systeminfo();
    assert!(text.len() > 4096);
    let send = |path: &'static str| service.post_as(path, "text/plain", text.clone());
    let resolved = send("/resolve?image=servercore").await;
    assert_eq!((resolved.status, &resolved.json()["tag"]), (StatusCode::OK, &"ltsc2022".into()));
    assert_eq!(send("/resolve?image=servercore&format=tag").await.text, "ltsc2022\n");
    assert_eq!(send("/identify").await.json()["os_version"], "10.0.20348");
    let missing = send("/resolve").await;
    assert_eq!(missing.json()["errors"][0]["parameter"], "image");
    let twice = send("/identify?host=17763").await;
    assert_eq!(twice.json()["errors"][0]["code"], "repeated-parameter");
    // Questions in JSON still take no parameters.
    let questions = serde_json::json!({"questions": [{"image": "iis", "host": "1809"}]});
    let refused = service.post("/resolve?image=iis", &questions).await;
    assert_eq!(refused.json()["errors"][0]["code"], "unknown-parameter");
    let too_long = service.get(&format!("/identify?host={}", "x".repeat(9000))).await;
    assert_eq!(too_long.status, StatusCode::URI_TOO_LONG);
    assert!(too_long.text.contains("POST /identify"), "{}", too_long.text);
}

/// The first finding's host and platform, and the codes of its remedies.
async fn summary(service: &Service, text: &str) -> (String, String, Vec<String>) {
    let finding = diagnose(service, text).await["findings"][0].clone();
    let of = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let remedies = finding["remedies"].as_array().into_iter().flatten();
    (
        of(&finding["host"]["os_version"]),
        of(&finding["platform"]),
        remedies.map(|remedy| of(&remedy["code"])).collect(),
    )
}

#[tokio::test]
async fn engines_and_hosts_are_told_apart() {
    let service = Service::offline();
    let mismatch = "hcs::CreateComputeSystem 8: The container operating system does not match the \
                    host operating system.";
    let check = |text: String, host: &'static str, platform: &'static str| {
        let service = &service;
        async move {
            let (its_host, its_platform, _) = summary(service, &text).await;
            assert_eq!((its_host.as_str(), its_platform.as_str()), (host, platform), "{text}");
        }
    };
    // What a container prints is not the host.
    check(
        format!(
            "docker run --isolation=hyperv mcr.microsoft.com/windows/nanoserver:1809 cmd /c ver\n\
             Microsoft Windows [Version 10.0.17763.5458]\n{mismatch}"
        ),
        "-",
        "docker",
    )
    .await;
    check(
        format!("docker run x\n{mismatch}\nver\nMicrosoft Windows [Version 10.0.17763.5458]"),
        "10.0.17763.5458",
        "docker",
    )
    .await;
    let rows = "ID NAME IMAGE NODE DESIRED STATE CURRENT STATE ERROR PORTS\ndwsd6sjlwsgi web.1 \
                contoso/web:1809 WIN-1 Ready Rejected";
    check(format!("{rows} \"{mismatch}\""), "-", "swarm").await;
    check(format!("CannotStartContainerError: {mismatch}"), "-", "ecs").await;
    check(format!("ctr: failed to create shim task: {mismatch}"), "-", "containerd").await;
    check(format!("StartContainer from runtime service failed: {mismatch}"), "-", "kubernetes")
        .await;
    for line in [
        "sku: 2019-datacenter-core-with-containers",
        "\"platformFamily\": \"WINDOWS_SERVER_2019_CORE\"",
        "Major  Minor  Build  Revision\n10     0      17763  0",
    ] {
        let (host, ..) = summary(&service, &format!("docker run x\n{mismatch}\n{line}")).await;
        assert_eq!(host, "10.0.17763", "{line}");
    }
    // There is no Hyper-V on the machines of CI services.
    let hosted = format!("vmImage: 'windows-2022'\ndocker run contoso/x:ltsc2019\n{mismatch}");
    let (_, _, remedies) = summary(&service, &hosted).await;
    assert!(!remedies.iter().any(|code| code.contains("hyperv")), "{remedies:?}");
    for text in [
        "invalid --isolation: \"hyper-v\". Windows supports 'default', 'process', or 'hyperv'.",
        "Invalid isolation: \"x\". Windows supports 'default', 'process', or 'hyperv'.",
    ] {
        assert_eq!(codes_of(&service, text).await, ["invalid-isolation"], "{text}");
    }
    let linux = "failed to resolve mcr.microsoft.com/windows/servercore:ltsc2022: no match for \
                 platform in manifest\nOSType: linux";
    assert_eq!(codes_of(&service, linux).await, ["linux-engine"]);
    let on_node = "Failed to pull image \"mcr.microsoft.com/windows/nanoserver:ltsc2022\": no \
                   match for platform in manifest\n  Operating System: linux";
    let (_, platform, remedies) = summary(&service, on_node).await;
    let expected = vec!["use-matching-host".to_owned()];
    assert_eq!((platform.as_str(), remedies), ("kubernetes", expected));
    assert_eq!(codes_of(&service, "Element not found. (0x490)\nadapter").await, [""; 0]);
}
