//! The console's page and files, whether it was built or not.

use crate::support::hub;

#[tokio::test]
async fn a_page_of_a_source_with_a_dot_in_its_id_is_the_console() {
    let hub = hub().await;
    for path in ["/", "/incidents/I-20261124-0001", "/sources/cam.1"] {
        let answer = hub.get("", path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.head.to_lowercase().contains("content-type: text/html"), "{path}: {}", answer.head);
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_the_page() {
    let hub = hub().await;
    for path in ["/assets/gone-1a2b3c.js", "/assets/none", "/robots.txt", "/api/v1/none"] {
        assert_eq!(hub.get("", path).await.status, 404, "{path}");
    }
}
