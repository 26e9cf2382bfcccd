<?php
// Prints the first page of an account's videos.
//
// Run it behind the proxy, so that it never sees the API key:
//
//     apivideo-token run -allow 'GET /videos' -- php list.php

$secret = base64_encode(getenv('APIVIDEO_API_KEY') . ':');
$context = stream_context_create(['http' => ['header' => "Authorization: Basic $secret", 'timeout' => 30]]);
$body = file_get_contents(getenv('APIVIDEO_BASE_URL') . '/videos', false, $context);
if ($body === false) {
    exit(1); // PHP has printed the reason
}
foreach (json_decode($body, true, 512, JSON_THROW_ON_ERROR)['data'] as $video) {
    echo $video['videoId'], ' ', $video['title'], "\n";
}
